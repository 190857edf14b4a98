#pragma once

#include <algorithm>
#include <limits>
#include <span>

#include "compress/half.hpp"
#include "compress/kernels.hpp"
#include "lib/base/bytes.hpp"
#include "lib/base/dtype.hpp"

/// Lossy codecs work on float32: tensors of other types pass through a float32 copy.
namespace gossamer {

/// Doubles beyond float32 become the largest float32, so that a finite input stays finite.
inline void stage_in(DType type, Bytes values, std::span<float> floats) noexcept {
  if (type == DType::float32) {
    std::copy_n(reinterpret_cast<const float*>(values.data()), floats.size(), floats.data());
  } else if (type == DType::float64) {
    const auto* doubles = reinterpret_cast<const double*>(values.data());
    constexpr double kMost = std::numeric_limits<float>::max();
    for (std::size_t i = 0; i < floats.size(); ++i)
      floats[i] = static_cast<float>(std::clamp(doubles[i], -kMost, kMost));
  } else {
    std::fill(floats.begin(), floats.end(), 0.0F);
    kernels::add_widened(type, values, 1, floats);
  }
}

inline void stage_out(DType type, std::span<const float> floats, MutableBytes values) noexcept {
  if (type == DType::float32) {
    std::copy(floats.begin(), floats.end(), reinterpret_cast<float*>(values.data()));
  } else if (type == DType::float64) {
    std::copy(floats.begin(), floats.end(), reinterpret_cast<double*>(values.data()));
  } else {
    kernels::narrow(type, floats, values);
  }
}

}  // namespace gossamer
