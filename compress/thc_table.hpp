#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace gossamer::thc {

/// Rotated values are clipped to this many deviations: of normal values 1/32 lie beyond.
constexpr double kClip = 2.153874694061456;

/// The integers 0 … g = 2 (2^bits − 1) that codes of 2 to 4 bits stand for: the 2^bits of them, 0 and g included, that
/// make unbiased rounding of a normal value clipped to ±kClip lose least. With integer i at x_i = (2i/g − 1) kClip,
/// neighbours a < b cost ∫ (x_b − x)(x − x_a) φ(x) dx from x_a to x_b; the sum over neighbours is least by dynamic
/// programming over (values so far, last value). A test does it again.
constexpr std::array<std::uint8_t, 4> kTwoBits = {0, 2, 4, 6};
constexpr std::array<std::uint8_t, 8> kThreeBits = {0, 2, 4, 6, 8, 10, 12, 14};
constexpr std::array<std::uint8_t, 16> kFourBits = {0, 3, 5, 7, 9, 11, 13, 14, 15, 17, 19, 21, 23, 25, 27, 30};

constexpr std::span<const std::uint8_t> table_of(unsigned bits) noexcept {
  if (bits == 2) return kTwoBits;
  if (bits == 3) return kThreeBits;
  return kFourBits;
}

}  // namespace gossamer::thc
