#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compress/magnitude_sample.hpp"
#include "compress/sparse_vector.hpp"

namespace gossamer {

/// Appends the entries of `run` whose key is above `above`; the first value has index `first_index`.
void pick_above(std::span<const float> run, std::uint32_t above, std::size_t first_index, SparseVector& out);

/// Exact selection of the k largest magnitudes of a tensor, ties to the lowest index.
///
/// choose() finds the k-th largest |x| in one pass over the tensor (a sample brackets it, the pass counts what lies
/// outside the bracket and keeps what lies inside); pick() then extracts any run of the tensor. Zeros are never picked:
/// with fewer than k values that are not zero, all of those are. Values are finite. Memory is kept between calls, so
/// that calls of like size allocate nothing after the first.
class Selector {
 public:
  void choose(std::span<const float> tensor, std::size_t k);
  /// Appends the chosen entries of `run`, which starts at element `offset` of the tensor; indices count from the start
  /// of the run. The run may be at most 2^32 - 1 values.
  void pick(std::span<const float> run, std::size_t offset, SparseVector& out) const;
  /// Nothing is chosen.
  void reset() noexcept;
  /// The smallest magnitude that is chosen; 0 if nothing is, or all that is not zero.
  [[nodiscard]] float smallest() const noexcept { return key_ == kernels::kMaxKey ? 0.0F : std::bit_cast<float>(key_); }

 private:
  /// The key of the k-th largest, how many keys are larger, and how many are equal.
  struct Threshold {
    std::uint32_t key = 0;
    std::size_t larger = 0;
    std::size_t equal = 0;
  };
  struct Bracket {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    std::size_t expected = 0;  ///< about how many keys lie strictly between
  };

  Bracket sample(std::span<const float> tensor, std::size_t k);
  bool find_in_bracket(std::span<const float> tensor, std::size_t k, Threshold& found);
  static Threshold find_by_histogram(std::span<const float> tensor, std::size_t k);

  std::uint32_t key_ = 0x7fffffff;  ///< larger keys are chosen, and equal ones before tie_end_
  std::size_t tie_end_ = 0;         ///< element of the tensor
  MagnitudeSample sample_;
  std::vector<std::uint32_t> candidates_;
};

}  // namespace gossamer
