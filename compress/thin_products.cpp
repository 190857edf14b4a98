#include "compress/thin_products.hpp"

#include <algorithm>

namespace gossamer {
namespace {

// A block of sums stays in the second-level cache while the matrix streams by.
constexpr std::size_t kSumsFloats = std::size_t{1} << 17;
// Rows of M that are added up before the sum joins those of the rows above: bounds the error of tall matrices.
constexpr std::size_t kSumsRows = 1024;

skinny::Factor from(skinny::Factor factor, std::size_t row) noexcept {
  return {factor.data + row, factor.rank, factor.stride};
}

}  // namespace

ThinProducts::ThinProducts(std::size_t rows, std::size_t cols, std::size_t rank)
    : rows_(rows),
      cols_(cols),
      rank_(rank),
      row_(rank),
      sums_width_(std::min(cols, std::max<std::size_t>(kSumsFloats / std::max<std::size_t>(rank, 1), 64))),
      sums_(rank * sums_width_) {}

void ThinProducts::times(skinny::Factor q, std::size_t offset, std::span<float> out) {
  while (!out.empty()) {
    const std::size_t row = offset / rank_;
    const std::size_t skip = offset % rank_;
    std::size_t count = out.size() / rank_ * rank_;
    if (skip == 0 && count > 0) {
      skinny::project_rows(matrix_.block(row, 0, count / rank_, cols_), q, out.data());
    } else {
      count = std::min(out.size(), rank_ - skip);
      skinny::project_rows(matrix_.block(row, 0, 1, cols_), q, row_.data());
      std::copy_n(row_.data() + skip, count, out.data());
    }
    offset += count;
    out = out.subspan(count);
  }
}

void ThinProducts::transposed_times(skinny::Factor p, std::size_t offset, std::span<float> out) {
  const std::size_t end = offset + out.size();
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t first = offset; first < end;) {
    const std::size_t col = first / rank_;
    const std::size_t cols = std::min(sums_width_, (end - 1) / rank_ + 1 - col);
    const std::size_t last = std::min(end, (col + cols) * rank_);
    for (std::size_t row = 0; row < matrix_.rows; row += kSumsRows) {
      const std::size_t rows = std::min(kSumsRows, matrix_.rows - row);
      skinny::project_columns(matrix_.block(row, col, rows, cols), from(p, row),
                              {sums_.data(), rank_, cols, sums_width_});
      for (std::size_t k = 0; k < rank_; ++k) {
        const float* column = sums_.data() + k * sums_width_;
        const std::size_t start = col * rank_ + k >= first ? 0 : 1;
        for (std::size_t j = start; (col + j) * rank_ + k < last; ++j) {
          out[(col + j) * rank_ + k - offset] += column[j];
        }
      }
    }
    first = last;
  }
}

void ThinProducts::outer(skinny::Factor p, skinny::Factor q, std::size_t offset, std::span<float> out) const {
  if (out.empty()) return;
  std::size_t row = offset / cols_;
  if (const std::size_t col = offset % cols_; col != 0) {
    const std::size_t count = std::min(out.size(), cols_ - col);
    skinny::reconstruct(from(p, row++), from(q, col), {out.data(), 1, count, cols_});
    out = out.subspan(count);
  }
  const std::size_t rows = out.size() / cols_;
  if (rows > 0) skinny::reconstruct(from(p, row), q, {out.data(), rows, cols_, cols_});
  out = out.subspan(rows * cols_);
  if (!out.empty()) skinny::reconstruct(from(p, row + rows), q, {out.data(), 1, out.size(), cols_});
}

void transpose(std::span<const float> rows, std::size_t rank, std::span<float> columns) noexcept {
  const std::size_t count = rank == 0 ? 0 : rows.size() / rank;
  for (std::size_t k = 0; k < rank; ++k) {
    for (std::size_t i = 0; i < count; ++i) columns[k * count + i] = rows[i * rank + k];
  }
}

}  // namespace gossamer
