#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/bytes.hpp"

namespace gossamer {

/// How the values of a payload are written; the numbers are part of the payload layout.
enum class ValueCoder : std::uint8_t {
  fp32 = 0,  ///< exact
  fp16 = 1,  ///< to nearest even; beyond ±65504 the nearest finite value, so that what is missing stays finite
  bf16 = 2,  ///< to nearest even; beyond the largest bfloat16 the nearest finite value
  int8 = 3,  ///< per block of kValueBlock: a float scale = max|v| / 127, then round(v / scale) in one byte each
};
inline constexpr std::uint8_t kValueCoders = 4;

/// Values are coded in blocks of this many, independently: a run that starts at a multiple of it can be coded alone.
inline constexpr std::size_t kValueBlock = 256;

/// Exactly the bytes of `count` values.
std::size_t value_bytes(ValueCoder coder, std::size_t count) noexcept;

/// `out` has value_bytes(values.size()) bytes. Values are finite.
void encode_values(ValueCoder coder, std::span<const float> values, MutableBytes out);

/// `in` has value_bytes(values.size()) bytes. Throws `corrupt` for an int8 scale that is negative or not finite; what
/// the float coders hold is passed on as it is.
void decode_values(ValueCoder coder, Bytes in, std::span<float> values);

}  // namespace gossamer
