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

}  // namespace gossamer::bounds
