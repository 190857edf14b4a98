#pragma once

#include <cstddef>
#include <span>

#include "lib/base/bytes.hpp"

/// One bit per value, compiled for every instruction set and chosen at run time. Zero, of either sign, counts as
/// positive.
namespace gossamer::signs {

/// Sums of the values below zero and of the others.
struct Sides {
  double negative = 0.0;
  double positive = 0.0;
  std::size_t negatives = 0;
};

constexpr std::size_t bytes_of(std::size_t count) noexcept {
  return count / 8 + (count % 8 != 0 ? 1 : 0);
}

/// Bit i of `bits` (low bits first, bytes_of(values.size()) bytes, the last filled up with zeros) is value i < 0.
Sides pack(std::span<const float> values, MutableBytes bits) noexcept;

/// What a bit stands for.
struct Levels {
  float negative = 0.0F;  ///< 1
  float positive = 0.0F;  ///< 0
};
/// out += scale · level.
void add(Bytes bits, Levels levels, float scale, std::span<float> out) noexcept;

namespace reference {

Sides pack(std::span<const float> values, MutableBytes bits) noexcept;
void add(Bytes bits, Levels levels, float scale, std::span<float> out) noexcept;

}  // namespace reference
}  // namespace gossamer::signs
