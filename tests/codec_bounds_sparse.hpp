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

}  // namespace gossamer::bounds
