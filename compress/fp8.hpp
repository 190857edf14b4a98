#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "lib/base/bytes.hpp"

/// 8-bit floats of the OCP 8-bit floating point specification (2023): a sign, exponent bits, mantissa bits.
namespace gossamer::fp8 {

struct Format {
  int mantissa_bits = 3;
  int bias = 7;
  std::uint8_t largest =
      0x7e;            ///< code of the largest finite value; above are infinity and NaN, which no encoder writes
  float max = 448.0F;  ///< its value
};
constexpr Format kE4M3 = {3, 7, 0x7e, 448.0F};
constexpr Format kE5M2 = {2, 15, 0x7b, 57344.0F};

constexpr int kLeastExponent = -149;
constexpr int kLargestExponent = 127;

/// Values are stored as multiples of 2^exponent.
struct Scaling {
  Format format;
  int exponent = 0;  ///< kLeastExponent … kLargestExponent

  /// Larger values would come back infinite.
  [[nodiscard]] float limit() const noexcept;
};

/// The code of each value · 2^−exponent, to nearest even; what exceeds limit() becomes limit().
void encode(std::span<const float> values, const Scaling& scaling, MutableBytes codes) noexcept;
/// out += scale · value. False when a code is above the largest, either sign; out is unspecified then.
bool add(Bytes codes, const Scaling& scaling, float scale, std::span<float> out) noexcept;

namespace reference {

void encode(std::span<const float> values, const Scaling& scaling, MutableBytes codes) noexcept;
bool add(Bytes codes, const Scaling& scaling, float scale, std::span<float> out) noexcept;

}  // namespace reference
}  // namespace gossamer::fp8
