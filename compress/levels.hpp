#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "compress/int8_scale.hpp"

/// Rounding to levels: what the codecs of integer sums do to values. `digits` has a place for each value.
namespace gossamer::kernels {

/// digit = round(clamp(x / scale, low, high)) + bias. low and high are so that digits fit into a byte.
struct LevelRule {
  Int8Scale scale;
  float low = -127.0F;
  float high = 127.0F;
  std::uint8_t bias = 0;
};

/// Room that random words and digits need behind the last value of a piece.
constexpr std::size_t kDigitPadding = 64;

/// To the nearest integer, ties to even.
void quantise_nearest(std::span<const float> in, const LevelRule& rule, std::uint8_t* digits) noexcept;
/// To one of the two integers around, unbiased; words[i] is the randomness of value i, kDigitPadding more are readable.
void quantise_stochastic(std::span<const float> in, const LevelRule& rule, const std::uint32_t* words,
                         std::uint8_t* digits) noexcept;
/// To 0 or ± a power of two, one of the two around: unbiased; the rest as above.
void quantise_natural(std::span<const float> in, const LevelRule& rule, const std::uint32_t* words,
                      std::uint8_t* digits) noexcept;

/// Values 0 … 2 · centre that digits may take, by cells: cell c, from c to c + 1, lies between below[c] and below[c] +
/// gap[c].
struct LevelTable {
  std::array<float, 32> below{};
  std::array<float, 32> gap{};
};
/// To one of the two values of the table around x / scale + rule.bias: unbiased; the rest as above.
void quantise_table(std::span<const float> in, const LevelRule& rule, const LevelTable& table,
                    const std::uint32_t* words, std::uint8_t* digits) noexcept;

/// digit = [x ≥ 0].
void quantise_sign(std::span<const float> in, std::uint8_t* digits) noexcept;

}  // namespace gossamer::kernels
