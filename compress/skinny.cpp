// Arrays of vectors, on which the register blocks below rest, need vectors whose size the compiler knows. The x86 sets
// between SSE2, AVX2 and AVX-512 bring nothing for multiply-add.
#define HWY_DISABLED_TARGETS \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/skinny.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <algorithm>

#include "compress/skinny.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::skinny::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// A block of R rows and K columns of the factor keeps R · K vectors in registers. More than four columns at a time
// would leave too few rows to share the loads of each column; the rows of a block are still in cache for the next four.
#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3
constexpr std::size_t kBlockVectors = 8;  // of 16 registers
#else
constexpr std::size_t kBlockVectors = 24;  // of 32 registers
#endif
constexpr std::size_t kMaxRows = 8;
// Products added up in one register lane after another before the sum joins that of the columns to the left: bounds the
// error of long rows.
constexpr std::size_t kSumColumns = 8192;

template <std::size_t K>
constexpr std::size_t kRows = std::min(kMaxRows, kBlockVectors / K);

/// The first `count` floats, then zeros, without touching what lies behind.
HWY_INLINE V load_first(D d, const float* from, std::size_t count) {
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float lanes[hn::MaxLanes(D())] = {};
  std::copy_n(from, count, lanes);
  return hn::Load(d, lanes);
#else
  return hn::MaskedLoad(hn::FirstN(d, count), d, from);
#endif
}

HWY_INLINE void store_first(D d, V values, float* to, std::size_t count) {
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(values, d, lanes);
  std::copy_n(lanes, count, to);
#else
  hn::BlendedStore(values, hn::FirstN(d, count), d, to);
#endif
}

/// Memory access of a whole vector, and of the last, shorter one of a row.
struct Whole {
  HWY_INLINE V load(D d, const float* from) const { return hn::LoadU(d, from); }
  HWY_INLINE void store(D d, V values, float* to) const { hn::StoreU(values, d, to); }
};
struct Partial {
  std::size_t count;
  HWY_INLINE V load(D d, const float* from) const { return load_first(d, from, count); }
  HWY_INLINE void store(D d, V values, float* to) const { store_first(d, values, to, count); }
};

/// Calls step(access, column) for every vector of a row of `cols`.
template <class Step>
HWY_INLINE void for_each_vector(D d, std::size_t cols, const Step& step) {
  const std::size_t lanes = hn::Lanes(d);
  std::size_t j = 0;
  for (; j + lanes <= cols; j += lanes) step(Whole{}, j);
  if (j < cols) step(Partial{cols - j}, j);
}

/// Calls block.run<R, K>(row, k) for all columns of a factor of `rank`, in groups of at most K.
template <std::size_t R, std::size_t K, class Block>
HWY_INLINE void for_each_group(const Block& block, std::size_t row, std::size_t k, std::size_t rank) {
  for (; k + K <= rank; k += K) block.template run<R, K>(row, k);
  if constexpr (K > 1) {
    if (k < rank) for_each_group<R, K / 2>(block, row, k, rank);
  }
}

/// A block of rows sees all groups of columns while it is in cache.
template <std::size_t K, class Block>
HWY_INLINE void for_each_block(const Block& block, std::size_t rows, std::size_t rank) {
  std::size_t row = 0;
  for (; row + kRows<K> <= rows; row += kRows<K>) for_each_group<kRows<K>, K>(block, row, 0, rank);
  for (; row < rows; ++row) for_each_group<1, K>(block, row, 0, rank);
}

template <class Block>
HWY_INLINE void for_all(const Block& block, std::size_t rows, std::size_t rank) {
  if (rank >= 4) return for_each_block<4>(block, rows, rank);
  if (rank >= 2) return for_each_block<2>(block, rows, rank);
  return for_each_block<1>(block, rows, rank);
}

struct RowProducts {
  Matrix<const float> matrix;
  Factor factor;
  float* out;
  bool add;  ///< to what `out` holds: all but the first block of columns

  template <std::size_t R, std::size_t K>
  HWY_NOINLINE HWY_ATTR void run(std::size_t row, std::size_t k) const {
    for (std::size_t col = 0; col < matrix.cols; col += kSumColumns) add_columns<R, K>(row, k, col);
  }

  template <std::size_t R, std::size_t K>
  HWY_INLINE void add_columns(std::size_t row, std::size_t k, std::size_t col) const {
    const D d;
    const float* HWY_RESTRICT from = matrix.data + row * matrix.stride + col;
    const float* HWY_RESTRICT columns = factor.data + k * factor.stride + col;
    V sums[R][K];
    for (auto& sum_row : sums) {
      for (V& sum : sum_row) sum = hn::Zero(d);
    }
    for_each_vector(d, std::min(kSumColumns, matrix.cols - col), [&](const auto& access, std::size_t j) HWY_ATTR {
      V values[R];
      for (std::size_t i = 0; i < R; ++i) values[i] = access.load(d, from + i * matrix.stride + j);
      for (std::size_t c = 0; c < K; ++c) {
        const V column = access.load(d, columns + c * factor.stride + j);
        for (std::size_t i = 0; i < R; ++i) sums[i][c] = hn::MulAdd(values[i], column, sums[i][c]);
      }
    });
    for (std::size_t i = 0; i < R; ++i) {
      for (std::size_t c = 0; c < K; ++c) {
        float& place = out[(row + i) * factor.rank + k + c];
        const float sum = hn::GetLane(hn::SumOfLanes(d, sums[i][c]));
        place = add || col > 0 ? place + sum : sum;
      }
    }
  }
};

struct ColumnProducts {
  Matrix<const float> matrix;
  Factor factor;
  Matrix<float> sums;

  template <std::size_t R, std::size_t K>
  HWY_NOINLINE HWY_ATTR void run(std::size_t row, std::size_t k) const {
    const D d;
    const float* HWY_RESTRICT from = matrix.data + row * matrix.stride;
    float* HWY_RESTRICT to = sums.data + k * sums.stride;
    V weights[R][K];
    for (std::size_t i = 0; i < R; ++i) {
      for (std::size_t c = 0; c < K; ++c) weights[i][c] = hn::Set(d, factor.data[(k + c) * factor.stride + row + i]);
    }
    for_each_vector(d, matrix.cols, [&](const auto& access, std::size_t j) HWY_ATTR {
      V values[R];
      for (std::size_t i = 0; i < R; ++i) values[i] = access.load(d, from + i * matrix.stride + j);
      for (std::size_t c = 0; c < K; ++c) {
        V sum = access.load(d, to + c * sums.stride + j);
        for (std::size_t i = 0; i < R; ++i) sum = hn::MulAdd(values[i], weights[i][c], sum);
        access.store(d, sum, to + c * sums.stride + j);
      }
    });
  }
};

struct OuterProducts {
  Factor left;
  Factor right;
  Matrix<float> out;

  template <std::size_t R, std::size_t K>
  HWY_NOINLINE HWY_ATTR void run(std::size_t row, std::size_t k) const {
    const D d;
    float* HWY_RESTRICT to = out.data + row * out.stride;
    const float* HWY_RESTRICT columns = right.data + k * right.stride;
    const bool first = k == 0;
    V weights[R][K];
    for (std::size_t i = 0; i < R; ++i) {
      for (std::size_t c = 0; c < K; ++c) weights[i][c] = hn::Set(d, left.data[(k + c) * left.stride + row + i]);
    }
    for_each_vector(d, out.cols, [&](const auto& access, std::size_t j) HWY_ATTR {
      V sums[R];
      for (std::size_t i = 0; i < R; ++i) sums[i] = first ? hn::Zero(d) : access.load(d, to + i * out.stride + j);
      for (std::size_t c = 0; c < K; ++c) {
        const V column = access.load(d, columns + c * right.stride + j);
        for (std::size_t i = 0; i < R; ++i) sums[i] = hn::MulAdd(column, weights[i][c], sums[i]);
      }
      for (std::size_t i = 0; i < R; ++i) access.store(d, sums[i], to + i * out.stride + j);
    });
  }
};

void project_rows(Matrix<const float> matrix, Factor factor, float* out) {
  // The factor's part that a block of rows walks over stays in the second-level cache.
  constexpr std::size_t kFactorFloats = std::size_t{1} << 18;
  const std::size_t width = std::max<std::size_t>(kFactorFloats / std::max<std::size_t>(factor.rank, 4), 16) / 16 * 16;
  std::size_t col = 0;
  do {
    const std::size_t cols = std::min(width, matrix.cols - col);
    const Factor part{factor.data + col, factor.rank, factor.stride};
    for_all(RowProducts{matrix.block(0, col, matrix.rows, cols), part, out, col != 0}, matrix.rows, factor.rank);
    col += cols;
  } while (col < matrix.cols);
}

void project_columns(Matrix<const float> matrix, Factor factor, Matrix<float> sums) {
  for (std::size_t k = 0; k < factor.rank; ++k) std::fill_n(sums.data + k * sums.stride, matrix.cols, 0.0F);
  for_all(ColumnProducts{matrix, factor, sums}, matrix.rows, factor.rank);
}

void reconstruct(Factor left, Factor right, Matrix<float> out) {
  for_all(OuterProducts{left, right, out}, out.rows, left.rank);
}

}  // namespace gossamer::skinny::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::skinny {

HWY_EXPORT(project_rows);
HWY_EXPORT(project_columns);
HWY_EXPORT(reconstruct);

void project_rows(Matrix<const float> matrix, Factor factor, float* out) {
  HWY_DYNAMIC_DISPATCH(project_rows)(matrix, factor, out);
}

void project_columns(Matrix<const float> matrix, Factor factor, Matrix<float> sums) {
  HWY_DYNAMIC_DISPATCH(project_columns)(matrix, factor, sums);
}

void reconstruct(Factor left, Factor right, Matrix<float> out) {
  HWY_DYNAMIC_DISPATCH(reconstruct)(left, right, out);
}

}  // namespace gossamer::skinny
#endif
