#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "compress/codec.hpp"
#include "compress/rounding.hpp"
#include "compress/selector_kernels.hpp"
#include "compress/sparse_vector.hpp"

/// Selection at random in proportion to magnitude: value x is kept with probability min(1, |x| / bound) and becomes
/// ± max(|x|, bound), which is right on average.
namespace gossamer::kernels {

/// Σ|x| over the values below `bound`, and how many are not. The sum adds up in the same order on every machine.
struct Split {
  double sum = 0;
  std::size_t reaching = 0;
};
Split split_at(std::span<const float> values, float bound) noexcept;

/// Whether a value goes, decided by 32 random bits: with probability min(1, size / bound), rounded to 2^-32.
[[nodiscard]] inline bool goes(double size, double bound, std::uint32_t bits) noexcept {
  return size >= bound ? size > 0 : (static_cast<double>(bits) + 0.5) * 0x1p-32 * bound < size;
}

/// Copies what goes, at positions from `first_index` on; how many. The bits of a value are its upper 8 and 24 below
/// (rounding.hpp).
std::size_t pick_proportional(const RoundingSource& source, float bound, std::uint32_t first_index,
                              const PickedEntries& out) noexcept;

}  // namespace gossamer::kernels

namespace gossamer {

/// Appends what goes of `run`; indices count from the start of the run.
void append_proportional(Chunk run, float bound, const RandomStream& own, SparseVector& out);

}  // namespace gossamer
