#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compress/skinny.hpp"

namespace gossamer {

/// Products of a tensor, seen as a matrix M of rows × cols, with factors of `rank` columns: any range of their elements
/// at a time, in row-major order, with the same bits however a product is cut into ranges.
class ThinProducts {
 public:
  ThinProducts(std::size_t rows, std::size_t cols, std::size_t rank);

  /// The matrix, rows · cols floats, which stay the caller's; `rows` are at most those of the constructor.
  void set(const float* values, std::size_t rows) noexcept { matrix_ = {values, rows, cols_, cols_}; }
  void set(const float* values) noexcept { set(values, rows_); }
  [[nodiscard]] const skinny::Matrix<const float>& matrix() const noexcept { return matrix_; }
  [[nodiscard]] std::size_t rank() const noexcept { return rank_; }
  /// Factors as they are kept: rank vectors one after another, of `rows` and of `cols` floats.
  [[nodiscard]] skinny::Factor left(std::span<const float> p) const noexcept { return {p.data(), rank_, rows_}; }
  [[nodiscard]] skinny::Factor right(std::span<const float> q) const noexcept { return {q.data(), rank_, cols_}; }

  /// Elements [offset, offset + out.size()) of M Q, rows × rank.
  void times(skinny::Factor q, std::size_t offset, std::span<float> out);
  /// Elements [offset, offset + out.size()) of Mᵀ P, cols × rank.
  void transposed_times(skinny::Factor p, std::size_t offset, std::span<float> out);
  /// Elements [offset, offset + out.size()) of P Qᵀ, rows × cols.
  void outer(skinny::Factor p, skinny::Factor q, std::size_t offset, std::span<float> out) const;

 private:
  std::size_t rows_, cols_, rank_;
  skinny::Matrix<const float> matrix_;
  std::vector<float> row_;  ///< rank_, one row of M Q when only part of it is asked for
  std::size_t sums_width_;
  std::vector<float> sums_;  ///< rank_ × sums_width_, a block of Mᵀ P by columns
};

/// columns(k, i) = rows(i, k): from the order in which products travel to that in which factors are kept.
void transpose(std::span<const float> rows, std::size_t rank, std::span<float> columns) noexcept;

}  // namespace gossamer
