#pragma once

#include <limits>

#include "tests/codec_bounds.hpp"

/// What the theory of sparse methods allows to come back.
namespace gossamer::bounds {

/// What is larger than 0.5 comes back as it is, everything else as zero.
inline std::string kept_above_half(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    const float expected = std::abs(value) > 0.5F ? value : 0.0F;
    if (decoded[i] != expected) return wrong(offset + i, value, decoded[i], 0.5);
  }
  return {};
}

/// Some threshold separates what comes back as it is from what is dropped, and something is kept of a tensor that is
/// not zero.
inline std::string largest_kept(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  float smallest_kept = std::numeric_limits<float>::infinity();
  float largest_dropped = 0.0F;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    if (decoded[i] != 0.0F && decoded[i] != value) return wrong(offset + i, value, decoded[i], 0.0);
    if (decoded[i] != 0.0F) smallest_kept = std::min(smallest_kept, std::abs(value));
    if (decoded[i] == 0.0F) largest_dropped = std::max(largest_dropped, std::abs(value));
  }
  if (largest_dropped > smallest_kept) return sentence("dropped ", largest_dropped, " and kept ", smallest_kept);
  const bool nothing_kept = std::isinf(smallest_kept) && largest_dropped > 0.0F;
  if (nothing_kept && decoded.size() == tensor.size()) return "nothing was kept";
  return {};
}

/// What comes back has the sign of the input and one magnitude, the mean of what it stands for; what is dropped is not
/// larger than what is kept.
inline std::string kept_as_sign(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  double sum = 0.0;
  std::size_t kept = 0;
  float smallest_kept = std::numeric_limits<float>::infinity();
  float largest_dropped = 0.0F;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    if (decoded[i] == 0.0F) {
      largest_dropped = std::max(largest_dropped, std::abs(value));
      continue;
    }
    if (value == 0.0F || std::signbit(value) != std::signbit(decoded[i]))
      return wrong(offset + i, value, decoded[i], 0);
    smallest_kept = std::min(smallest_kept, std::abs(value));
    sum += std::abs(static_cast<double>(value));
    ++kept;
  }
  if (largest_dropped > smallest_kept) return sentence("dropped ", largest_dropped, " and kept ", smallest_kept);
  const double mean = sum / static_cast<double>(kept);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double magnitude = std::abs(static_cast<double>(decoded[i]));
    const double allowed = mean * 0x1p-23 + 0x1p-149;
    if (magnitude != 0.0 && !(std::abs(magnitude - mean) <= allowed)) return wrong(i, decoded[i], decoded[i], mean);
  }
  return {};
}

/// What comes back is the nearest power of two, or zero.
inline std::string kept_as_powers(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (decoded[i] == 0.0F) continue;
    const double ratio = static_cast<double>(tensor[offset + i]) / static_cast<double>(decoded[i]);
    int exponent = 0;
    const bool power = std::frexp(std::abs(decoded[i]), &exponent) == 0.5F;
    if (!power || ratio < 0.75 || ratio > 1.5) return wrong(offset + i, tensor[offset + i], decoded[i], 0.5);
  }
  return {};
}

/// What comes back is zero, or within one of `kLevels` levels of the largest magnitude.
template <int kLevels>
std::string kept_as_levels(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  double largest = 0.0;
  for (const float value : tensor) largest = std::max(largest, std::abs(static_cast<double>(value)));
  const double allowed = (largest / kLevels + 0x1p-149) * (1 + 0x1p-14);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double error = std::abs(static_cast<double>(decoded[i]) - static_cast<double>(tensor[offset + i]));
    if (decoded[i] != 0.0F && !(error <= allowed)) return wrong(offset + i, tensor[offset + i], decoded[i], allowed);
  }
  return {};
}

/// What comes back has the sign of the input; what is larger than some magnitude comes back as it is, what is not comes
/// back as that magnitude or zero.
inline std::string kept_or_raised(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  float raised = 0.0F;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (decoded[i] != 0.0F && decoded[i] != tensor[offset + i]) raised = std::abs(decoded[i]);
  }
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    if (decoded[i] == 0.0F && (raised == 0.0F || std::abs(value) < raised)) continue;
    const float expected = std::copysign(std::max(std::abs(value), raised), value);
    if (value == 0.0F || decoded[i] != expected) return wrong(offset + i, value, decoded[i], 0.0);
  }
  return {};
}

}  // namespace gossamer::bounds
