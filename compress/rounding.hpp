#pragma once

#include <cstdint>
#include <span>

#include "lib/base/philox.hpp"

/// The randomness of values that are rounded up or down. A value draws 8 bits; where these leave the decision open, one
/// time in 256, it draws more. So the decision has the resolution of all of them, at the price of few.
namespace gossamer {

/// Element e has byte e % 4 (low first) of the word of element e / 4 of `own`.
struct RoundingSource {
  std::span<const float> values;
  RandomStream own;
  std::uint64_t first = 0;  ///< element of values[0]
};

/// The 8 bits of an element.
inline std::uint32_t upper_bits(const RandomStream& own, std::uint64_t element) noexcept {
  return own.words(element / 16)[element / 4 % 4] >> (8 * (element % 4)) & 0xffU;
}

/// The bits below them, so many as are wanted; they have words of the stream above those that elements have.
inline std::uint32_t lower_bits(const RandomStream& own, std::uint64_t element, unsigned bits) noexcept {
  constexpr std::uint64_t kLowerWords = std::uint64_t{1} << 63;
  return own.words(kLowerWords | element)[0] >> (32 - bits);
}

}  // namespace gossamer
