#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/bytes.hpp"

namespace gossamer {

/// How the values of a payload are written; the numbers are part of the payload layout. The first kPlainCoders write
/// any values; the *packed* ones behind them only those that round_values() (packed_values.hpp) has prepared: codes of
/// a few bits, low bits first, that stand for multiples of one float, the unit, which is written before them.
enum class ValueCoder : std::uint8_t {
  fp32 = 0,    ///< exact
  fp16 = 1,    ///< to nearest even; beyond ±65504 the nearest finite value, so that what is missing stays finite
  bf16 = 2,    ///< to nearest even; beyond the largest bfloat16 the nearest finite value
  int8 = 3,    ///< per block of kValueBlock: a float scale = max|v| / 127, then round(v / scale) in one byte each
  sign = 4,    ///< packed: ± unit, in one bit that is set for -
  log4 = 5,    ///< packed: ± unit / 2^e in four bits: e in the three low ones, the sign above
  levels = 6,  ///< packed: ± l · unit: the bits of l ≤ levels, the sign above
};
inline constexpr std::uint8_t kPlainCoders = 4;
inline constexpr std::uint8_t kValueCoders = 7;
inline constexpr unsigned kMaxLevels = 127;

/// A coder with what it needs to know.
struct ValueFormat {
  ValueCoder coder = ValueCoder::fp32;
  std::uint8_t levels = 0;  ///< of `levels`: 1 to kMaxLevels; 0 for all others
  float unit = 0;           ///< of the packed coders: written, not needed to read

  constexpr ValueFormat() noexcept = default;
  // NOLINTNEXTLINE(google-explicit-constructor): most coders need nothing else
  constexpr ValueFormat(ValueCoder how, std::uint8_t steps = 0) noexcept : coder(how), levels(steps) {}
  [[nodiscard]] constexpr bool packed() const noexcept { return static_cast<std::uint8_t>(coder) >= kPlainCoders; }
};

/// Values are coded in blocks of this many, independently but for the unit of packed coders.
inline constexpr std::size_t kValueBlock = 256;

/// Exactly the bytes of `count` values.
std::size_t value_bytes(ValueFormat format, std::size_t count) noexcept;

/// `out` has value_bytes(values.size()) bytes. Values are finite, and prepared for a packed coder.
void encode_values(ValueFormat format, std::span<const float> values, MutableBytes out);

/// Values [first, first + values.size()) of `in`, the bytes of them all; `first` is a multiple of kValueBlock. Throws
/// `corrupt` for a scale or unit that is negative or not finite and for codes that do not exist; what the float coders
/// hold is passed on as it is.
void decode_values(ValueFormat format, Bytes in, std::size_t first, std::span<float> values);

}  // namespace gossamer
