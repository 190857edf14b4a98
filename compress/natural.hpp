#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "compress/rounding.hpp"
#include "lib/base/bytes.hpp"

/// Values rounded to a power of two at random, so that their mean is right. A power is named by the exponent field of
/// its float: 2^(field − 127), and 0 for zero. Field and mantissa of a value, read as one integer, plus a uniform below
/// 2^23 carry into the field with exactly the probability that rounds up.
namespace gossamer::natural {

constexpr std::uint32_t kLargestField = 254;  ///< 2^127: what would be rounded to 2^128 is not
constexpr std::uint32_t kLargestCode = 127;
constexpr std::uint32_t kLargestBase = kLargestField - kLargestCode;

/// Below the upper 8 of a value's 23 random bits (rounding.hpp).
constexpr unsigned kLowerBits = 15;

constexpr std::uint32_t field_of(std::uint32_t float_bits, std::uint32_t upper, std::uint32_t lower) noexcept {
  return std::min(((float_bits & 0x7fffffffU) + (upper << kLowerBits | lower)) >> 23, kLargestField);
}
/// Sign and field − base in a byte; fields up to base become 0.
constexpr std::uint8_t code_of(std::uint32_t float_bits, std::uint32_t field, std::uint32_t base) noexcept {
  return static_cast<std::uint8_t>((float_bits >> 24 & 0x80U) | (field > base ? field - base : 0));
}

/// One byte for each field, and a bit for each sign (1: negative; low bits first, the last byte filled up with zeros).
struct Fields {
  MutableBytes fields;
  MutableBytes signs;
};
void encode_fields(const RoundingSource& source, const Fields& out) noexcept;
/// out += scale · value. False when a field is above the largest; out is unspecified then.
bool add_fields(Bytes fields, Bytes signs, float scale, std::span<float> out) noexcept;

/// Sign and exponent in a byte. No field may exceed base + kLargestCode.
void encode_codes(const RoundingSource& source, std::uint32_t base, MutableBytes codes) noexcept;
/// out += scale · value; base ≤ kLargestBase.
void add_codes(Bytes codes, std::uint32_t base, float scale, std::span<float> out) noexcept;

namespace reference {

void encode_fields(const RoundingSource& source, const Fields& out) noexcept;
bool add_fields(Bytes fields, Bytes signs, float scale, std::span<float> out) noexcept;
void encode_codes(const RoundingSource& source, std::uint32_t base, MutableBytes codes) noexcept;
void add_codes(Bytes codes, std::uint32_t base, float scale, std::span<float> out) noexcept;

}  // namespace reference
}  // namespace gossamer::natural
