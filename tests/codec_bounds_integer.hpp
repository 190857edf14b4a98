#pragma once

#include "tests/codec_bounds.hpp"

/// Bounds of the codecs whose codes add as integers under scales that all ranks share.
namespace gossamer::bounds {

/// Every value is its sign, that of zero being +.
inline std::string signs(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    if (decoded[i] != (value < 0.0F ? -1.0F : 1.0F)) return wrong(offset + i, value, decoded[i], 0.0);
  }
  return {};
}

/// What scales a block: its largest |x|, or its length.
inline double block_norm(std::span<const float> block, bool largest) {
  double norm = 0.0;
  for (const float value : block) {
    const double size = std::abs(static_cast<double>(value));
    norm = largest ? std::max(norm, size) : norm + size * size;
  }
  return largest ? norm : std::sqrt(norm);
}

/// Blocks, counted from the tensor's start, that are rounded to multiples of share · norm / levels.
struct Levels {
  std::size_t block = 0;  ///< 0: the whole tensor
  double levels = 7.0;
  bool largest = true;  ///< the norm
  double share = 1.0;
  double below = 7.0;  ///< multiples on the negative side

  /// The step for element `index`, rounded up as much as a denormal may be.
  [[nodiscard]] double step(std::span<const float> tensor, std::size_t index) const {
    const std::size_t start = block == 0 ? 0 : index / block * block;
    const std::size_t length = block == 0 ? tensor.size() : std::min(block, tensor.size() - start);
    return share * block_norm(tensor.subspan(start, length), largest) / levels + 0x1p-149;
  }
};

/// Every value comes back within a step times `allowance(|x| in steps)`, clipped ones of the nearest end of the range.
/// 2^-14 of a step is float rounding.
template <typename Allowance>
std::string within_levels(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded,
                          const Levels& levels, const Allowance& allowance) {
  double step = 0.0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const std::size_t index = offset + i;
    if (i == 0 || (levels.block != 0 && index % levels.block == 0)) step = levels.step(tensor, index);
    const auto value = static_cast<double>(tensor[index]);
    const double reachable = std::clamp(value, -levels.below * step, levels.levels * step);
    const double allowed = step * (allowance(std::abs(reachable) / step) + 0x1p-14);
    if (!(std::abs(static_cast<double>(decoded[i]) - reachable) <= allowed)) {
      return wrong(index, tensor[index], decoded[i], allowed);
    }
  }
  return {};
}

inline double one_step(double) {
  return 1.0;
}

inline std::string qsgd(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return within_levels(tensor, offset, decoded, {512, 7.0, true, 1.0, 7.0}, one_step);
}

inline std::string qsgd_of_length(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return within_levels(tensor, offset, decoded, {100, 127.0, false, 1.0, 127.0}, one_step);
}

inline std::string qsgd_of_one_level(std::span<const float> tensor, std::size_t offset,
                                     std::span<const float> decoded) {
  return within_levels(tensor, offset, decoded, {512, 1.0, false, 1.0, 1.0}, one_step);
}

inline std::string qsgd_of_three_levels(std::span<const float> tensor, std::size_t offset,
                                        std::span<const float> decoded) {
  return within_levels(tensor, offset, decoded, {0, 3.0, true, 1.0, 3.0}, one_step);
}

inline std::string int8_integer(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return within_levels(tensor, offset, decoded, {256, 127.0, true, 1.0, 127.0}, [](double) { return 0.5; });
}

inline std::string clipped_lattice(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return within_levels(tensor, offset, decoded, {0, 7.0, true, 0.5, 8.0}, one_step);
}

/// Powers of two are as far apart as the lower of them.
inline std::string dithered_powers_of_two(std::span<const float> tensor, std::size_t offset,
                                          std::span<const float> decoded) {
  return within_levels(tensor, offset, decoded, {512, 8.0, true, 1.0, 8.0},
                       [](double steps) { return std::max(1.0, steps); });
}

/// Of each block of 4096, what rounding to a 4-bit table and clipping at 2.15 deviations may lose: gaps of three
/// integers out of 15 that stand for 2.15 deviations, (3 · 2.154 / 15)² < 0.19 of the squared length, and the little
/// that is beyond. Rotation spreads the error over the block.
inline std::string rotated_blocks(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  for (std::size_t at = 0; at < decoded.size();) {
    const std::size_t start = (offset + at) / 4096 * 4096;
    const std::size_t length = std::min<std::size_t>(4096, tensor.size() - start);
    const std::size_t end = std::min(decoded.size(), start + length - offset);
    const double norm = block_norm(tensor.subspan(start, length), false);
    double lost = 0.0;
    for (std::size_t i = at; i < end; ++i) {
      lost += std::pow(static_cast<double>(decoded[i]) - static_cast<double>(tensor[offset + i]), 2);
    }
    if (!(lost <= 0.25 * norm * norm)) return sentence("of the block at ", start, " lost ", lost, " of ", norm * norm);
    at = end;
  }
  return {};
}

}  // namespace gossamer::bounds
