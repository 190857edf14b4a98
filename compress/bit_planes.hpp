#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "compress/elias.hpp"
#include "lib/base/bytes.hpp"

/// Small integers as bit planes: each 64 values are `width` words of 64 bits, lowest bit first, of which bit j belongs
/// to value j. Planes add without being unpacked, a word at a time. Bytes may have any alignment.
namespace gossamer::planes {

constexpr std::size_t kWord = 64;    ///< values per word
constexpr unsigned kMaxWidth = 24;   ///< so that every sum is a float exactly
constexpr unsigned kDigitWidth = 8;  ///< of one contribution

/// Words of one plane of `count` values.
constexpr std::size_t words_of(std::size_t count) noexcept {
  return count / kWord + (count % kWord != 0 ? 1 : 0);
}
/// Bytes of all planes of `count` values.
constexpr std::size_t bytes_of(std::size_t count, unsigned width) noexcept {
  return words_of(count) * width * sizeof(std::uint64_t);
}
/// Bits of the integers 0 … largest.
constexpr unsigned width_of(std::uint64_t largest) noexcept {
  return static_cast<unsigned>(std::bit_width(largest));
}

/// The plane of `bit` of 64 values that are all `value`.
constexpr std::uint64_t plane_of(unsigned value, unsigned bit) noexcept {
  return (value >> bit & 1) != 0 ? ~std::uint64_t{0} : 0;
}

/// The digits, 64 for every word of a plane, as planes; width ≤ kDigitWidth, digits < 2^width.
void pack(std::span<const std::uint8_t> digits, unsigned width, std::byte* planes) noexcept;

/// How many of `digits` differ from `zero`, and by how much in all.
elias::Tally tally(std::span<const std::uint8_t> digits, std::uint8_t zero) noexcept;

/// sum ← a + b for `words` words of each plane; false when a sum does not fit into `width`, which is at least the
/// width of either.
struct Operand {
  const std::byte* planes = nullptr;
  unsigned width = 0;
};
bool add(Operand a, Operand b, std::size_t words, unsigned width, std::byte* sum) noexcept;

/// What planes mean: value v stands for step · v − offset, and none exceeds `largest`.
struct Meaning {
  unsigned width = 0;
  std::uint32_t step = 1;  ///< 1 or 2
  std::int32_t offset = 0;
  std::int32_t largest = 0;
};
/// The integers of `planes`, out.size() of them (a multiple of 64), as floats. False when a value exceeds the largest.
bool unpack(const std::byte* planes, const Meaning& meaning, std::span<float> out) noexcept;

/// out += scale · (in · unit), the product in parentheses rounded.
void add_multiples(std::span<const float> in, float unit, float scale, std::span<float> out) noexcept;

}  // namespace gossamer::planes
