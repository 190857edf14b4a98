#pragma once

#include <bit>
#include <cstdint>

/// One float16 or bfloat16 value at a time. All roundings are to nearest even; NaN stays NaN, infinity infinity.
namespace gossamer {

constexpr float kFloat16Max = 65504.0F;
constexpr float kBFloat16Max = 0x1.FEp127F;

constexpr float bfloat16_to_float(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

constexpr std::uint16_t float_to_bfloat16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

constexpr float float16_to_float(std::uint16_t half) noexcept {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t magnitude = half & 0x7fffU;
  if (magnitude >= 0x7c00U) {
    // Quieted, as the hardware does.
    const std::uint32_t payload = (magnitude & 0x3ffU) << 13;
    return std::bit_cast<float>(sign | 0x7f800000U | payload | (payload != 0 ? 0x400000U : 0U));
  }
  // The exponent and mantissa fields, moved to where a float has them, are 2^-112 times the value: subnormals too.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | sign);
}

constexpr std::uint16_t float_to_float16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000U) {
    half = 0x7e00U | ((magnitude >> 13) & 0x3ffU);
  } else if (magnitude >= 0x477ff000U) {  // from 65520 on the nearest float16 is infinity
    half = 0x7c00U;
  } else if (magnitude < 0x38800000U) {
    // Below the smallest normal: adding 0.5 leaves the value in units of 2^-24 in the last bits, rounded by the adder.
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3f000000U;
  } else {
    half = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
  }
  return static_cast<std::uint16_t>(half | sign);
}

}  // namespace gossamer
