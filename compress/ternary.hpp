#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/bytes.hpp"

/// Ternary codes and their integer sums, 320 values at a time: as base-3 digits (five to a byte) while they come from
/// one rank, as bit planes once they have been added.
namespace gossamer::ternary {

constexpr std::size_t kGroup = 320;              ///< values
constexpr std::size_t kPlane = 64;               ///< values per plane word
constexpr std::size_t kWords = kGroup / kPlane;  ///< words per plane of a group
constexpr unsigned kMaxContributions = 65535;
constexpr unsigned kMaxWidth = 17;  ///< bits of 0 … 2 · kMaxContributions

/// Bits of a sum of `contributions` codes, stored as sum + contributions.
constexpr unsigned width_of(unsigned contributions) noexcept {
  unsigned width = 0;
  for (unsigned states = 2 * contributions; states != 0; states >>= 1) ++width;
  return width;
}
/// Bytes of `count` ≤ kGroup codes as digits.
constexpr std::size_t trit_bytes(std::size_t count) noexcept {
  return (count + 4) / 5;
}
/// Words of one plane of `count` values.
constexpr std::size_t plane_words(std::size_t count) noexcept {
  return (count + kPlane - 1) / kPlane;
}

/// The codes sign(x)·[u·scale < min(|x|, bound)] of up to kGroup values as digits code + 1: byte j of B = trit_bytes
/// holds values j, j + B, … j + 4B, lowest power of 3 first; values that are not there count as code 0. `words` is the
/// randomness of each value, padded to kGroup.
struct Rule {
  float bound = 0.0F;
  float scale = 0.0F;
};
void encode_trits(std::span<const float> in, const Rule& rule, const std::uint32_t* words, MutableBytes out) noexcept;

/// Digits to planes: value 64·g + j is bit j of planes[2g] plus twice bit j of planes[2g + 1]. All kWords · 2 words are
/// written. False when a byte is not five digits.
bool trits_to_planes(Bytes trits, std::uint64_t* planes) noexcept;

/// What planes of up to kGroup values mean: value v of `width` bits is (v − contributions) · unit.
struct PlaneCode {
  unsigned width = 0;
  unsigned contributions = 0;
  float unit = 0.0F;
};
/// out += scale · value; planes are [word][width]. False when a value exceeds 2 · contributions.
bool add_planes(const std::uint64_t* planes, const PlaneCode& code, float scale, std::span<float> out) noexcept;

}  // namespace gossamer::ternary
