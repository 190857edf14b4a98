#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace gossamer {

/// How one block of linear codes, those of int8 first of all, is scaled: code = round(x · lift · inverse), x ≈ code ·
/// scale.
struct Int8Scale {
  float scale = 0.0F;
  float lift = 1.0F;  ///< a power of two that keeps 1/scale finite when scale is denormal
  float inverse = 0.0F;
};

/// How values become multiples of `scale`, a finite number.
inline Int8Scale int8_steps(float scale) noexcept {
  if (!(scale > 0.0F)) return {};
  const float lift = scale < 0x1p-100F ? 0x1p100F : 1.0F;
  return {scale, lift, 1.0F / (scale * lift)};
}

/// `max_abs` is the block's largest |x|, `levels` the largest code. All zero for a zero block; scale NaN and inverse 0
/// for one that is not finite.
inline Int8Scale int8_scale(float max_abs, float levels = 127.0F) noexcept {
  if (!std::isfinite(max_abs)) return {std::numeric_limits<float>::quiet_NaN(), 1.0F, 0.0F};
  if (!(max_abs > 0.0F)) return {};
  float scale = max_abs / levels;
  // A denormal quotient may be rounded by up to half its size: up, so that no code exceeds the levels. The quotient of
  // the largest floats is moved down instead, so that no decoded value is infinite.
  if (scale < std::numeric_limits<float>::min() &&
      static_cast<double>(scale) * static_cast<double>(levels) < static_cast<double>(max_abs)) {
    scale = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scale) + 1);
  } else if (!std::isfinite(scale * levels)) {
    scale = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scale) - 1);
  }
  return int8_steps(scale);
}

}  // namespace gossamer
