#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/bytes.hpp"

/// Blocks of a payload that stand for a matrix, rows × cols: its two factors, or its values where those are shorter.
///
/// Layout, little-endian: uint32 rank; then as floats P by columns (rank × rows) and Q by columns (rank × cols), of the
/// block P Qᵀ; or, with a rank of kValues, the rows · cols values. Rank 0 is a block of zeros.
namespace gossamer::low_rank {

inline constexpr std::uint32_t kValues = 0xffffffffU;

/// Of a matrix.
struct Sides {
  std::size_t rows = 0;
  std::size_t cols = 0;

  [[nodiscard]] std::size_t count() const noexcept { return rows * cols; }
};

/// Whether factors of `rank` are shorter than the values.
[[nodiscard]] constexpr bool worthwhile(Sides sides, std::size_t rank) noexcept {
  // rank (rows + cols) < rows cols, which huge ranks must not overflow.
  return rank < sides.rows && rank < sides.cols && rank * (sides.rows + sides.cols) < sides.count();
}

/// Bytes of a block of at most `rank`, however it is written.
[[nodiscard]] constexpr std::size_t block_bytes(Sides sides, std::size_t rank) noexcept {
  const std::size_t floats = worthwhile(sides, rank) ? rank * (sides.rows + sides.cols) : sides.count();
  return sizeof(std::uint32_t) + floats * sizeof(float);
}

void put_values(ByteWriter& writer, std::span<const float> values);
/// rank = left.size() / rows = right.size() / cols
void put_factors(ByteWriter& writer, std::size_t rank, std::span<const float> left, std::span<const float> right);

/// Reads blocks; keeps the memory it needs.
class BlockReader {
 public:
  /// out += scale · the next block of `reader`. Throws `corrupt` before writing unless it is one of `sides`, out.size()
  /// = sides.count(), and no longer than its values.
  void accumulate(ByteReader& reader, Sides sides, float scale, std::span<float> out);

 private:
  std::vector<float> left_;
  std::vector<float> right_;
  std::vector<float> product_;
};

/// out += scale · values, which need not be aligned.
void add_values(Bytes values, float scale, std::span<float> out) noexcept;

}  // namespace gossamer::low_rank
