#pragma once

#include "tests/codec_bounds.hpp"

/// What codecs that send every value may let come back.
namespace gossamer::bounds {

/// Float rounding of a mean or a product.
inline double rounding_of(double value) {
  return std::abs(value) * 0x1p-23 + 0x1p-149;
}

/// Calls check(values, decoded) for each block of `block` values, 0 for all at once; the first complaint.
template <typename Check>
std::string by_block(std::span<const float> values, std::span<const float> decoded, std::size_t block,
                     const Check& check) {
  const std::size_t length = block == 0 ? std::max<std::size_t>(decoded.size(), 1) : block;
  for (std::size_t start = 0; start < decoded.size(); start += length) {
    const std::size_t count = std::min(length, decoded.size() - start);
    const std::string complaint = check(values.subspan(start, count), decoded.subspan(start, count));
    if (!complaint.empty()) return sentence("block at ", start, ": ", complaint);
  }
  return {};
}

/// Values below zero come back as the first level, the others as the second.
inline std::string two_levels(std::span<const float> values, std::span<const float> decoded, double negative,
                              double positive) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double level = values[i] < 0.0F ? negative : positive;
    if (!(std::abs(static_cast<double>(decoded[i]) - level) <= rounding_of(level))) {
      return wrong(i, values[i], decoded[i], rounding_of(level));
    }
  }
  return {};
}

/// ±(‖x‖₁/d), with the sign of x, + for 0.
template <std::size_t kBlock>
std::string mean_magnitude(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return by_block(tensor.subspan(offset, decoded.size()), decoded, kBlock, [](auto values, auto back) {
    double sum = 0.0;
    for (const float value : values) sum += std::abs(static_cast<double>(value));
    const double mean = sum / static_cast<double>(values.size());
    return two_levels(values, back, -mean, mean);
  });
}

/// The mean of the values on the same side of zero.
template <std::size_t kBlock>
std::string two_means(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return by_block(tensor.subspan(offset, decoded.size()), decoded, kBlock, [](auto values, auto back) {
    double sums[2] = {0.0, 0.0};
    double counts[2] = {0.0, 0.0};
    for (const float value : values) {
      sums[value < 0.0F] += static_cast<double>(value);
      counts[value < 0.0F] += 1.0;
    }
    return two_levels(values, back, sums[1] / std::max(counts[1], 1.0), sums[0] / std::max(counts[0], 1.0));
  });
}

/// Rounding to nearest of a float with `precision` significant bits and a least value of `least` times the tensor's
/// largest |x|; a largest |x| of float's own range may be rounded down instead.
inline std::string scaled_floats(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded,
                                 std::pair<int, double> precision_least) {
  double largest = 0.0;
  for (const float value : tensor) largest = std::max(largest, std::abs(static_cast<double>(value)));
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto value = static_cast<double>(tensor[offset + i]);
    const double allowed =
        std::max(std::ldexp(std::abs(value), -precision_least.first), precision_least.second * largest / 2);
    if (!(std::abs(static_cast<double>(decoded[i]) - value) <= allowed)) {
      return wrong(offset + i, tensor[offset + i], decoded[i], allowed);
    }
  }
  return {};
}

/// The scale exceeds max|x|/448 by less than a factor of 2; the least value is 2^-9.
inline std::string fp8_e4m3(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return scaled_floats(tensor, offset, decoded, {4, 0x1p-8 / 448.0});
}

inline std::string fp8_e5m2(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return scaled_floats(tensor, offset, decoded, {3, 0x1p-15 / 57344.0});
}

/// The power of two below or above, with the sign of x; 0 or 2^-126 for what is less, 2^127 for what is more; 0, too,
/// for what is below `negligible`.
inline std::string next_powers_of_two(std::span<const float> values, std::span<const float> decoded,
                                      double negligible) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double size = std::abs(static_cast<double>(values[i]));
    const double below = size < 0x1p-126 ? 0.0 : std::ldexp(1.0, std::ilogb(size));
    const double above = size < 0x1p-126 ? 0x1p-126 : std::min(2 * below, 0x1p127);
    const double back = std::copysign(1.0, static_cast<double>(values[i])) * static_cast<double>(decoded[i]);
    const bool exact = size == below && back != size;
    if (back == 0.0 && size < negligible) continue;
    if ((back != below && back != above) || exact) return wrong(i, values[i], decoded[i], above - below);
  }
  return {};
}

inline std::string powers_of_two(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return next_powers_of_two(tensor.subspan(offset, decoded.size()), decoded, 0.0);
}

/// 127 powers from twice the largest value's down: 2^-125 of it is the least.
inline std::string upper_powers_of_two(std::span<const float> tensor, std::size_t offset,
                                       std::span<const float> decoded) {
  const std::span<const float> values = tensor.subspan(offset, decoded.size());
  double largest = 0.0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return next_powers_of_two(values, decoded, largest * 0x1p-125);
}

/// 0 or ±M, at most M/2 away, where M is the largest |x| times kHundredths/100. The least float may stand for a half.
template <int kHundredths>
std::string zero_or_largest(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  const std::span<const float> values = tensor.subspan(offset, decoded.size());
  double largest = 0.0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  const double unit = largest * kHundredths / 100.0;
  const double allowed = unit / 2 + rounding_of(unit);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto back = static_cast<double>(decoded[i]);
    const bool a_code = back == 0.0 || std::abs(std::abs(back) - unit) <= rounding_of(unit);
    if (!a_code || !(std::abs(back - static_cast<double>(values[i])) <= allowed)) {
      return wrong(i, values[i], decoded[i], allowed);
    }
  }
  return {};
}

/// The nearest code of the dynamic tree: the widest step, between the largest codes, is 0.9/64 of the block's largest.
template <std::size_t kBlock>
std::string dynamic_tree(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return by_block(tensor.subspan(offset, decoded.size()), decoded, kBlock, [](auto values, auto back) -> std::string {
    double largest = 0.0;
    for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
    const double allowed = largest * 0.9 / 128 + rounding_of(largest);
    for (std::size_t i = 0; i < back.size(); ++i) {
      const double error = std::abs(static_cast<double>(back[i]) - static_cast<double>(values[i]));
      if (!(error <= allowed)) return wrong(i, values[i], back[i], allowed);
    }
    return {};
  });
}

/// Zero below 2^-kBound, the value itself from 1 on, at most half of 2^-kBound away in between.
template <int kBound>
std::string within_bound(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  const double bound = std::ldexp(1.0, -kBound);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto value = static_cast<double>(tensor[offset + i]);
    const double size = std::abs(value);
    const double allowed = size < bound ? size : size < 1.0 ? bound / 2 : 0.0;
    const bool zeroed = size >= bound || decoded[i] == 0.0F;
    if (!zeroed || !(std::abs(static_cast<double>(decoded[i]) - value) <= allowed)) {
      return wrong(offset + i, tensor[offset + i], decoded[i], allowed);
    }
  }
  return {};
}

}  // namespace gossamer::bounds
