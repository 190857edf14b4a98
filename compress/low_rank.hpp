#pragma once

#include <string_view>

#include "compress/codec.hpp"
#include "compress/factors.hpp"

/// What the low-rank codecs have in common: tensors as matrices, and their keys.
namespace gossamer::low_rank {

/// A tensor as a matrix: its first dimension by all others.
Sides sides_of(const Shape& shape) noexcept;

inline constexpr Key kRankKey = {"rank", "4", "rank of the approximation: from 1 to the smaller side of the matrix"};
inline constexpr Key kStartKey = {"start", "warm",
                                  "each call's subspace: warm, from the call before, or fresh, drawn anew"};

/// The value of `rank`, which an empty matrix cannot check; it has factors of rank 0.
std::size_t rank_of(const Options& options, Sides sides);
/// Whether `start` is warm.
bool is_warm(const Options& options);

}  // namespace gossamer::low_rank
