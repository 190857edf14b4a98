#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "compress/selector_kernels.hpp"

/// The hot loops of `variance`, compiled for every instruction set and chosen at run time. Spans of one call have one
/// size.
namespace gossamer::kernels {

/// moments += values², which stays at the end of float's range.
void add_squares(std::span<const float> values, std::span<float> moments) noexcept;

/// A moment v becomes −0 where value² > weight · v, and factor · |v| elsewhere.
void mark_outgrown(std::span<const float> values, double weight, float factor, std::span<float> moments) noexcept;

/// Copies the values whose mark has a sign, at positions from `first_index` on; how many.
std::size_t pick_marked(std::span<const float> values, const float* marks, std::uint32_t first_index,
                        const PickedEntries& out) noexcept;

}  // namespace gossamer::kernels
