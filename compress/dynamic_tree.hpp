#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

/// The dynamic tree (Dettmers, "8-bit approximations for parallelism in deep learning", ICLR 2016): of the seven bits
/// behind the sign, e leading zeros stand for 10^-e, then comes a one, and the b = 6 - e bits j that are left for
/// 0.1 + 0.9 (j + 1)/2^b. The largest value, 1, is a code, and so is 0.
namespace gossamer::dynamic_tree {

constexpr unsigned kBits = 7;
constexpr std::size_t kMagnitudes = std::size_t{1} << kBits;

/// Values by code; the upper half is negative.
constexpr std::array<float, 2 * kMagnitudes> make_values() noexcept {
  std::array<float, 2 * kMagnitudes> values{};
  double power = 1;
  for (unsigned bits = kBits; bits-- > 0; power /= 10) {
    const std::size_t first = std::size_t{1} << bits;
    for (std::size_t j = 0; j < first; ++j) {
      values[first + j] =
          static_cast<float>(power * (0.1 + 0.9 * static_cast<double>(j + 1) / static_cast<double>(first)));
    }
  }
  for (std::size_t code = 0; code < kMagnitudes; ++code) values[kMagnitudes + code] = -values[code];
  return values;
}
inline constexpr std::array kValues = make_values();

/// Between two codes the code grows with the magnitude in proportion, on one line for all codes of an e, and the less
/// steeply the larger they are: it is the least of (magnitude + offset) · slope.
struct Line {
  float offset = 0.0F;
  float slope = 0.0F;
};
constexpr std::array<Line, kBits> make_lines() noexcept {
  std::array<Line, kBits> lines{};
  double power = 1;
  for (unsigned bits = kBits - 1; bits > 0; --bits, power /= 10) {
    const double first = 1U << bits;
    lines[bits] = {static_cast<float>(power * (0.8 - 0.9 / first)), static_cast<float>(first / (0.9 * power))};
  }
  lines[0] = {0.0F, static_cast<float>(1 / power)};
  return lines;
}
inline constexpr std::array kLines = make_lines();

/// Codes of values / largest, where no value exceeds the largest: the nearest, to 2^-16 of the way to the next.
void encode(std::span<const float> values, float largest, std::uint8_t* codes) noexcept;
/// out += scale · (value · largest).
void add(const std::uint8_t* codes, float largest, float scale, std::span<float> out) noexcept;

}  // namespace gossamer::dynamic_tree
