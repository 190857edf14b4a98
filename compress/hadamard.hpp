#pragma once

#include <cstdint>
#include <span>

namespace gossamer {

/// values ← H values, where H is the Walsh-Hadamard matrix of ±1 in natural order and the size a power of two: n log₂ n
/// additions. H H = n. Sums of integers below 2^24 are exact.
void hadamard(std::span<float> values) noexcept;

/// Element i changes its sign if bit i % 32 of words[i / 32] is set.
void flip_signs(std::span<float> values, const std::uint32_t* words) noexcept;

}  // namespace gossamer
