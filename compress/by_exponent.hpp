#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/bytes.hpp"

/// Values that take no, one, two or four bytes by their exponent, as INCEPTIONN has them.
namespace gossamer::by_exponent {

enum class Class : std::uint8_t { zero, byte, word, exact };
inline constexpr std::array<std::size_t, 4> kBytesOf = {0, 1, 2, 4};

/// A float as sign, exponent (three bits, from that of `lowest` on) and mantissa, rounded to nearest. A mantissa that
/// is rounded up to 2 goes into the exponent, which has room for one more.
struct Short {
  unsigned mantissa_bits;
  std::uint32_t lowest;  ///< bits of a power of two

  [[nodiscard]] constexpr unsigned shift() const noexcept { return 23 - mantissa_bits; }
  [[nodiscard]] constexpr std::uint32_t encode(std::uint32_t bits) const noexcept {
    const std::uint32_t magnitude = (bits & 0x7fffffffU) + (1U << (shift() - 1)) - lowest;
    return magnitude >> shift() | (bits >> 31 << (mantissa_bits + 3));
  }
  [[nodiscard]] constexpr std::uint32_t decode(std::uint32_t code) const noexcept {
    const std::uint32_t magnitude = code & ((8U << mantissa_bits) - 1);
    return ((magnitude << shift()) + lowest) | (code >> (mantissa_bits + 3) << 31);
  }
};

/// The classes of values in units: nothing below 2^-bound, a byte for the next five exponents (four bits of mantissa:
/// an error of half of 2^-bound at most), two bytes up to one unit, the float itself from there on.
struct Rule {
  explicit Rule(int bound) noexcept
      : least(std::ldexp(1.0F, -bound)),
        longer(std::min(1.0F, std::ldexp(least, kByteExponents))),
        byte{4, std::bit_cast<std::uint32_t>(least)},
        word{12, std::bit_cast<std::uint32_t>(std::ldexp(least, kByteExponents))} {}

  [[nodiscard]] Class class_of(float value) const noexcept {
    const float size = std::abs(value);
    return static_cast<Class>((size >= least ? 1 : 0) + (size >= longer ? 1 : 0) + (size >= 1.0F ? 1 : 0));
  }

  static constexpr int kByteExponents = 5;
  float least;   ///< from here on a byte
  float longer;  ///< two
  Short byte;
  Short word;
};

/// Where the bytes of four values lie, by their tag: two bits for each value's class.
struct Places {
  std::array<std::uint8_t, 256> length{};
  std::array<std::array<std::uint8_t, 16>, 256> pack{};    ///< which byte of four words comes next
  std::array<std::array<std::uint8_t, 16>, 256> unpack{};  ///< where a byte of four words lies; none from 0x80 on
};
constexpr Places make_places() noexcept {
  Places places;
  for (std::size_t tag = 0; tag < 256; ++tag) {
    places.unpack[tag].fill(0x80);
    std::uint8_t used = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t k = 0; k < kBytesOf[tag >> (2 * i) & 3]; ++k, ++used) {
        places.pack[tag][used] = static_cast<std::uint8_t>(4 * i + k);
        places.unpack[tag][4 * i + k] = used;
      }
    }
    places.length[tag] = used;
  }
  return places;
}
inline constexpr Places kPlaces = make_places();

/// Bytes of the tags of so many values.
constexpr std::size_t tag_bytes(std::size_t count) noexcept {
  return count / 4 + (count % 4 != 0 ? 1 : 0);
}
/// Bytes of the values that so many of the tags belong to.
std::size_t value_bytes(Bytes tags, std::size_t count) noexcept;

/// Writes tags and values, the latter to `out`, which has room for four bytes of each; the bytes used.
std::size_t encode(std::span<const float> values, float unit, const Rule& rule, MutableBytes tags,
                   std::byte* out) noexcept;
/// out += scale · value, from value_bytes() of `in`. False when a value is not finite; `out` is unspecified then.
struct Encoded {
  Bytes tags;
  Bytes values;
  float unit = 1.0F;
};
bool add(const Encoded& in, const Rule& rule, float scale, std::span<float> out) noexcept;

namespace reference {

std::size_t encode(std::span<const float> values, float unit, const Rule& rule, MutableBytes tags,
                   std::byte* out) noexcept;
bool add(const Encoded& in, const Rule& rule, float scale, std::span<float> out) noexcept;

}  // namespace reference
}  // namespace gossamer::by_exponent
