#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/philox.hpp"

namespace gossamer {

/// Normal-like random vectors, the same on all ranks that hold the same stream.
class SharedDraws {
 public:
  /// `purpose` keeps two users of one stream apart.
  SharedDraws(const RandomStream& stream, std::uint32_t purpose) noexcept
      : stream_(stream), next_(std::uint64_t{purpose} << 56) {}
  /// Fills `out` with the next values: mean 0, variance about 1, never further than 4 from 0.
  void fill(std::span<float> out) noexcept;

 private:
  RandomStream stream_;
  std::uint64_t next_;
};

/// Makes the `rank` vectors of `length` floats that lie one after another in `vectors` orthonormal, in place, by
/// modified Gram–Schmidt repeated until nothing cancels; for finite input their span never shrinks.
///
/// A vector that is zero or not finite, or of which less than 1e-6 of its length remains beside the ones before it, is
/// redrawn: the result always is an orthonormal set, to 1e-6, of finite numbers. Needs rank ≤ length.
/// Equal input gives equal bits on every machine: sums are in double precision in a fixed order, and no product of them
/// is rounded before it is added.
void orthonormalise(std::span<float> vectors, std::size_t length, SharedDraws& draws) noexcept;

/// Σ a_i b_i in double precision, with the same bits on every machine.
double dot(std::span<const float> a, std::span<const float> b) noexcept;

}  // namespace gossamer
