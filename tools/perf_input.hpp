#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/include/gossamer/gossamer.h"

namespace gossamer::tools {

std::size_t element_size(goss_dtype dtype) noexcept;

/// Everybody's inputs, computable by everybody: nearly normal values of mean 0 and variance 1 that depend on seed, rank
/// and element only.
struct Inputs {
  std::uint64_t seed = 1;
  goss_dtype dtype = GOSS_FLOAT32;

  /// Elements [first, first + out.size() / element_size) of `rank`, in the dtype.
  void fill(int rank, std::size_t first, std::span<std::byte> out) const;
  /// The same values, widened.
  void values(int rank, std::size_t first, std::span<double> out) const;
};

/// Elements of `dtype` as doubles; data.size() = out.size() * element_size(dtype).
void widen(goss_dtype dtype, std::span<const std::byte> data, std::span<double> out);

}  // namespace gossamer::tools
