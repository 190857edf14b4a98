#pragma once

#include <span>
#include <vector>

#include "compress/orthonormal.hpp"
#include "compress/skinny.hpp"

namespace gossamer {

/// Orthonormal bases of what most of a matrix lies in, for ranks that hold the same matrix and need the same basis.
class LeadingSubspace {
 public:
  /// An orthonormal set that spans what the leading right singular vectors of `matrix` do: as many vectors of
  /// matrix.cols floats, one after another, as `vectors` has room for; at most matrix.rows and matrix.cols.
  ///
  /// Subspace iteration from a drawn start (Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review
  /// 2011), eight times forth and back: directions are told apart as far as their singular values are. Equal input
  /// gives equal bits on every machine; memory is kept for the next time.
  void find(skinny::Matrix<const float> matrix, std::span<float> vectors, SharedDraws& draws);

 private:
  std::vector<float> left_;
  std::vector<double> sums_;
};

}  // namespace gossamer
