#pragma once

#include "tests/codec_bounds.hpp"

/// What the theory of hybrid methods allows to come back.
namespace gossamer::bounds {

/// ±0.5 for what exceeds it, zero for everything else.
inline std::string quanta_of_half(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    const float expected = std::abs(value) > 0.5F ? std::copysign(0.5F, value) : 0.0F;
    if (decoded[i] != expected) return wrong(offset + i, value, decoded[i], 0.0);
  }
  return {};
}

/// No more than one positive and one negative level, each of its input's sign; of a whole tensor they are means of what
/// they stand for, so that ‖x − Q(x)‖² = ‖x‖² − ‖Q(x)‖².
inline std::string two_means(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  double levels[2] = {0.0, 0.0};
  double error = 0.0;
  double norm = 0.0;
  double kept = 0.0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto value = static_cast<double>(tensor[offset + i]);
    const auto level = static_cast<double>(decoded[i]);
    error += (value - level) * (value - level);
    norm += value * value;
    kept += level * level;
    if (level == 0.0) continue;
    double& known = levels[level > 0.0 ? 0 : 1];
    if (level * value <= 0.0 || (known != 0.0 && known != level)) {
      return wrong(offset + i, tensor[offset + i], decoded[i], 0.0);
    }
    known = level;
  }
  if (decoded.size() != tensor.size() || std::abs(error - (norm - kept)) <= 1e-6 * norm + 1e-80) return {};
  return sentence("error ", error, " of ", norm, " where ", kept, " is kept");
}

/// Zero, or of the input's sign and no larger.
inline std::string shrunk(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    const bool same_side = decoded[i] == 0.0F || std::signbit(decoded[i]) == std::signbit(value);
    if (!same_side || !(std::abs(decoded[i]) <= std::abs(value))) return wrong(offset + i, value, decoded[i], 0.0);
  }
  return {};
}

}  // namespace gossamer::bounds
