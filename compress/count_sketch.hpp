#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compress/selector_kernels.hpp"
#include "lib/base/philox.hpp"

namespace gossamer {

/// Count-sketch (Charikar, Chen, Farach-Colton, "Finding frequent items in data streams", ICALP 2002): every row adds
/// element i, with a random sign, to a random one of its columns.
///
/// Both come from one 32-bit hash of i, which is four-wise independent: with i = 4096 a + b it is A[a] ^ B[b] ^ C[a +
/// b], tables of random words (Thorup & Zhang, "Tabulation-based 5-independent hashing with applications to linear
/// probing and second moment estimation", SIAM J. Comput. 41(2), 2012). Of any four keys one has a value of a, b or a +
/// b that none of the others has, so its hash is independent of theirs. Running through a tensor, A is constant for
/// 4096 elements while B and C are read in order; C is as long as the tensor needs, since a + b is a sum of integers.
class CountSketch {
 public:
  /// For tensors of `count` elements; `columns` is below 2^31.
  CountSketch(std::size_t rows, std::size_t columns, std::size_t count);

  /// New hash functions from a stream that all ranks share.
  void draw(const RandomStream& shared);
  /// rows × columns, one row after another.
  [[nodiscard]] std::span<float> cells() noexcept { return cells_; }
  [[nodiscard]] std::span<const float> cells() const noexcept { return cells_; }
  /// Makes cells() the sketch of `tensor`.
  void sketch(std::span<const float> tensor) noexcept;

  /// Elements are estimated in blocks: elements [block · kBlock, …) of the tensor.
  static constexpr std::size_t kBlock = 4096;
  [[nodiscard]] std::size_t blocks() const noexcept { return (count_ + kBlock - 1) / kBlock; }
  [[nodiscard]] std::size_t block_count(std::size_t block) const noexcept;
  /// What one row says of a block's elements: unbiased, of variance at most ‖x‖² / columns up to columns / 2^31.
  void estimate_row(std::size_t row, std::size_t block, std::span<float> out) const noexcept;
  /// The median over the rows, of which there is an odd number. Valid until the next call.
  std::span<const float> estimate(std::size_t block) noexcept;

 private:
  /// The places (count_sketch_kernels.hpp) of a block's elements.
  void places(std::size_t row, std::size_t block, std::span<std::uint32_t> out) const noexcept;

  std::size_t rows_;
  std::size_t columns_;
  std::size_t count_;
  std::size_t low_;                   ///< words of B that are needed
  std::vector<std::uint32_t> words_;  ///< for each row A, B, C
  std::vector<float> cells_;
  std::vector<float> estimates_;  ///< rows × kBlock
};

/// The `wanted` values of largest magnitude of a stream, exactly, ties to the earlier position; never zeros. Needs
/// memory for twice as many.
class LargestOfStream {
 public:
  explicit LargestOfStream(std::size_t wanted);
  void clear() noexcept;
  /// The next values; `first` is the position of the first. Positions ascend and are below 2^33.
  void offer(std::span<const float> values, std::size_t first);
  /// Their positions, ascending; no more than `wanted`.
  void take(std::vector<std::size_t>& positions);

 private:
  static constexpr std::size_t kBlock = 4096;  // values between two checks for room

  void prune() noexcept;

  std::size_t wanted_;
  std::uint32_t bar_ = 0;               ///< only keys above it are still of interest
  std::vector<std::uint64_t> entries_;  ///< key, then the position's complement: the larger the better
  std::array<std::uint32_t, kBlock + kernels::kStoreSlack> indices_;
  std::array<float, kBlock + kernels::kStoreSlack> values_;
};

}  // namespace gossamer
