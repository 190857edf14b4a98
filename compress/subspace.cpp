#include "compress/subspace.hpp"

#include <algorithm>

namespace gossamer {
namespace {

constexpr int kPasses = 8;
constexpr std::size_t kColumns = 512;  // sums of so many columns at a time stay in the first-level cache

/// left(k, i) = Σ_j matrix(i, j) right(k, j), rounded once.
void forth(skinny::Matrix<const float> matrix, std::span<const float> right, std::span<float> left) {
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const std::span<const float> row(matrix.data + i * matrix.stride, matrix.cols);
    for (std::size_t k = 0; k * matrix.cols < right.size(); ++k) {
      left[k * matrix.rows + i] = static_cast<float>(dot(row, right.subspan(k * matrix.cols, matrix.cols)));
    }
  }
}

/// right(k, j) = Σ_i left(k, i) matrix(i, j), added up over i in order and rounded once; `sums` is kColumns per k.
void back(skinny::Matrix<const float> matrix, std::span<const float> left, std::span<float> right,
          std::span<double> sums) {
  const std::size_t rank = right.size() / matrix.cols;
  for (std::size_t col = 0; col < matrix.cols; col += kColumns) {
    const std::size_t cols = std::min(kColumns, matrix.cols - col);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      const float* row = matrix.data + i * matrix.stride + col;
      for (std::size_t k = 0; k < rank; ++k) {
        // Products of two floats are exact in double precision: fused or not, the bits are the same.
        const auto weight = static_cast<double>(left[k * matrix.rows + i]);
        double* sum = sums.data() + k * kColumns;
        for (std::size_t j = 0; j < cols; ++j) sum[j] += weight * static_cast<double>(row[j]);
      }
    }
    for (std::size_t k = 0; k < rank; ++k) {
      for (std::size_t j = 0; j < cols; ++j) {
        right[k * matrix.cols + col + j] = static_cast<float>(sums[k * kColumns + j]);
      }
    }
  }
}

}  // namespace

void LeadingSubspace::find(skinny::Matrix<const float> matrix, std::span<float> vectors, SharedDraws& draws) {
  if (vectors.empty()) return;
  const std::size_t rank = vectors.size() / matrix.cols;
  left_.resize(rank * matrix.rows);
  sums_.resize(rank * kColumns);
  draws.fill(vectors);
  orthonormalise(vectors, matrix.cols, draws);
  for (int pass = 0; pass < kPasses; ++pass) {
    forth(matrix, vectors, left_);
    orthonormalise(left_, matrix.rows, draws);
    back(matrix, left_, vectors, sums_);
    orthonormalise(vectors, matrix.cols, draws);
  }
}

}  // namespace gossamer
