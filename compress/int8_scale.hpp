#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace gossamer {

/// How one block of linear int8 codes is scaled: code = round(x · lift · inverse), x ≈ code · scale.
struct Int8Scale {
  float scale = 0.0F;
  float lift = 1.0F;  ///< a power of two that keeps 1/scale finite when scale is denormal
  float inverse = 0.0F;
};

/// `max_abs` is the block's largest |x|. All zero for a zero block; scale NaN and inverse 0 for one that is not finite.
inline Int8Scale int8_scale(float max_abs) noexcept {
  if (!std::isfinite(max_abs)) return {std::numeric_limits<float>::quiet_NaN(), 1.0F, 0.0F};
  if (!(max_abs > 0.0F)) return {};
  float scale = max_abs / 127.0F;
  // A denormal quotient may be rounded by up to half its size: up, so that no code exceeds 127. The quotient of the
  // largest floats is moved down instead, so that no decoded value is infinite.
  if (scale < std::numeric_limits<float>::min() && static_cast<double>(scale) * 127.0 < static_cast<double>(max_abs)) {
    scale = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scale) + 1);
  } else if (!std::isfinite(scale * 127.0F)) {
    scale = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scale) - 1);
  }
  const float lift = scale < 0x1p-100F ? 0x1p100F : 1.0F;
  return {scale, lift, 1.0F / (scale * lift)};
}

}  // namespace gossamer
