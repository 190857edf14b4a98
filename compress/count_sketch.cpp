#include "compress/count_sketch.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "compress/count_sketch_kernels.hpp"
#include "compress/kernels.hpp"
#include "compress/selector_kernels.hpp"

namespace gossamer {
namespace {

using kernels::kPlaceSign;

constexpr int kPositionBits = 33;
constexpr std::uint64_t kPositionMask = (std::uint64_t{1} << kPositionBits) - 1;

}  // namespace

CountSketch::CountSketch(std::size_t rows, std::size_t columns, std::size_t count)
    : rows_(rows),
      columns_(columns),
      count_(count),
      low_(std::min(count, kBlock)),
      words_(rows * 2 * (blocks() + low_)),
      cells_(rows * columns),
      estimates_(rows * low_) {}

void CountSketch::draw(const RandomStream& shared) {
  kernels::random_words(shared, 0, words_);
}

std::size_t CountSketch::block_count(std::size_t block) const noexcept {
  return std::min(kBlock, count_ - block * kBlock);
}

void CountSketch::places(std::size_t row, std::size_t block, std::span<std::uint32_t> out) const noexcept {
  const std::span<const std::uint32_t> tables = std::span(words_).subspan(row * 2 * (blocks() + low_));
  const auto low = tables.subspan(blocks(), out.size());
  const auto sum = tables.subspan(blocks() + low_ + block, out.size());
  kernels::sketch_places(tables[block], low, sum, static_cast<std::uint32_t>(columns_), out);
}

void CountSketch::sketch(std::span<const float> tensor) noexcept {
  std::fill(cells_.begin(), cells_.end(), 0.0F);
  std::uint32_t memory[kBlock];
  // Row by row, so that one row's cells have the cache to themselves.
  for (std::size_t row = 0; row < rows_; ++row) {
    float* cells = cells_.data() + row * columns_;
    for (std::size_t block = 0; block < blocks(); ++block) {
      const std::span<std::uint32_t> at(memory, block_count(block));
      places(row, block, at);
      const float* values = tensor.data() + block * kBlock;
      for (std::size_t i = 0; i < at.size(); ++i) {
        const std::uint32_t value = std::bit_cast<std::uint32_t>(values[i]) ^ (at[i] & kPlaceSign);
        cells[at[i] & ~kPlaceSign] += std::bit_cast<float>(value);
      }
    }
  }
}

void CountSketch::estimate_row(std::size_t row, std::size_t block, std::span<float> out) const noexcept {
  std::uint32_t memory[kBlock];
  const std::span<std::uint32_t> at(memory, out.size());
  places(row, block, at);
  kernels::read_places(std::span(cells_).subspan(row * columns_, columns_), at, out);
}

std::span<const float> CountSketch::estimate(std::size_t block) noexcept {
  const std::size_t count = block_count(block);
  const auto row_of = [&](std::size_t row) { return std::span(estimates_).subspan(row * low_, count); };
  for (std::size_t row = 0; row < rows_; ++row) estimate_row(row, block, row_of(row));
  // Bubble sort over whole rows: after each pass the largest of those left is in place, down to the median.
  for (std::size_t last = rows_ - 1; last > 0 && last >= rows_ / 2; --last) {
    for (std::size_t row = 0; row < last; ++row) kernels::order_pairs(row_of(row), row_of(row + 1));
  }
  return row_of(rows_ / 2);
}

LargestOfStream::LargestOfStream(std::size_t wanted) : wanted_(wanted) {
  entries_.reserve(2 * wanted + kBlock);
}

void LargestOfStream::clear() noexcept {
  bar_ = 0;
  entries_.clear();
}

void LargestOfStream::prune() noexcept {
  if (entries_.size() <= wanted_) return;
  const auto last = entries_.begin() + static_cast<std::ptrdiff_t>(wanted_) - 1;
  std::nth_element(entries_.begin(), last, entries_.end(), std::greater<>());
  bar_ = static_cast<std::uint32_t>(*last >> kPositionBits);
  entries_.resize(wanted_);
}

void LargestOfStream::offer(std::span<const float> values, std::size_t first) {
  if (wanted_ == 0) return;
  for (std::size_t at = 0; at < values.size(); at += kBlock) {
    const std::span<const float> block = values.subspan(at, std::min(kBlock, values.size() - at));
    if (entries_.size() + block.size() > entries_.capacity()) prune();
    const std::size_t found = kernels::pick_above(block, bar_, 0, indices_.data(), values_.data());
    for (std::size_t i = 0; i < found; ++i) {
      const std::uint64_t key = std::bit_cast<std::uint32_t>(values_[i]) & kernels::kMaxKey;
      entries_.push_back(key << kPositionBits | (kPositionMask - (first + at + indices_[i])));
    }
  }
}

void LargestOfStream::take(std::vector<std::size_t>& positions) {
  prune();
  positions.clear();
  for (const std::uint64_t entry : entries_) positions.push_back(kPositionMask - (entry & kPositionMask));
  std::sort(positions.begin(), positions.end());
}

}  // namespace gossamer
