#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "compress/int8_scale.hpp"
#include "compress/rounding.hpp"

/// Rounding to levels: what the codecs of integer sums do to values. `digits` has a place for each value.
namespace gossamer::kernels {

/// digit = round(clamp(x / scale, low, high)) + bias. low and high are so that digits fit into a byte.
struct LevelRule {
  Int8Scale scale;
  float low = -127.0F;
  float high = 127.0F;
  std::uint8_t bias = 0;
};

/// To the nearest integer, ties to even.
void quantise_nearest(std::span<const float> in, const LevelRule& rule, std::uint8_t* digits) noexcept;
/// To one of the two integers around, unbiased to 2^-24 of a step.
void quantise_stochastic(const RoundingSource& source, const LevelRule& rule, std::uint8_t* digits) noexcept;
/// To 0 or ± a power of two, one of the two around, as unbiased.
void quantise_natural(const RoundingSource& source, const LevelRule& rule, std::uint8_t* digits) noexcept;

/// Values 0 … 2 · centre that digits may take, by cells: cell c, from c to c + 1, lies between below[c] and below[c] +
/// gap[c].
struct LevelTable {
  std::array<float, 32> below{};
  std::array<float, 32> gap{};
};
/// To one of the two values of the table around x / scale + rule.bias, as unbiased.
void quantise_table(const RoundingSource& source, const LevelRule& rule, const LevelTable& table,
                    std::uint8_t* digits) noexcept;

/// digit = [x ≥ 0].
void quantise_sign(std::span<const float> in, std::uint8_t* digits) noexcept;

}  // namespace gossamer::kernels
