#pragma once

#include <cstddef>

/// Products of a large row-major matrix with a handful of vectors, at the speed of reading the matrix.
///
/// All three give each element the same bits whatever rows, columns or ranges a call is cut into (the sum over a whole
/// inner dimension is never cut by the caller's range). reconstruct() gives the same bits on every instruction set that
/// has fused multiply-add; the two products depend on the width of its vectors. Nothing is allocated, nothing outside
/// the given rows and columns is touched, and everything may be called from several threads.
namespace gossamer::skinny {

/// Part of a row-major matrix: element (i, j) is data[i * stride + j].
template <typename T>
struct Matrix {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;

  [[nodiscard]] Matrix block(std::size_t row, std::size_t col, std::size_t row_count, std::size_t col_count) const {
    return {data + row * stride + col, row_count, col_count, stride};
  }
};

/// A tall thin matrix stored by columns: element (i, k) is data[k * stride + i], k < rank.
struct Factor {
  const float* data = nullptr;
  std::size_t rank = 0;
  std::size_t stride = 0;
};

/// out(i, k) = Σ_j matrix(i, j) · factor(j, k): `out` is row-major, matrix.rows × factor.rank, without gaps.
/// Rows are added up in parts of 8192 columns at most, each over the lanes of a vector.
void project_rows(Matrix<const float> matrix, Factor factor, float* out);

/// sums(k, j) = Σ_i factor(i, k) · matrix(i, j), added up over i in order: `sums` is factor.rank × matrix.cols.
void project_columns(Matrix<const float> matrix, Factor factor, Matrix<float> sums);

/// out(i, j) = Σ_k left(i, k) · right(j, k), added up over k in order.
void reconstruct(Factor left, Factor right, Matrix<float> out);

}  // namespace gossamer::skinny
