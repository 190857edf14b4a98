#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace gossamer {

/// MinMaxSketch (Jiang, Fu, Yang, Cui, "SketchML: accelerating distributed machine learning with data sketches", SIGMOD
/// 2018): small numbers by key, in fewer cells than there are keys. A cell keeps the least of what falls into it, and a
/// query takes the largest of its key's cells: never more than what was inserted.
class MinMaxSketch {
 public:
  static constexpr std::size_t kRows = 2;
  static constexpr std::uint8_t kEmpty = 255;

  /// Cells for `members` keys: three for every ten of them in each row.
  static std::size_t columns_for(std::size_t members) noexcept { return (3 * members + 9) / 10; }

  /// `cells` are kRows · columns numbers.
  MinMaxSketch(std::span<std::uint8_t> cells) noexcept : cells_(cells), columns_(cells.size() / kRows) {}

  void clear() noexcept { std::ranges::fill(cells_, kEmpty); }
  void insert(std::uint32_t key, std::uint8_t number) noexcept {
    for (std::size_t row = 0; row < kRows; ++row) cell(row, key) = std::min(cell(row, key), number);
  }
  [[nodiscard]] std::uint8_t query(std::uint32_t key) const noexcept {
    std::uint8_t largest = 0;
    for (std::size_t row = 0; row < kRows; ++row) largest = std::max(largest, cell(row, key));
    return largest;
  }

 private:
  /// Multiply-shift hashing with a fixed odd factor for each row (Dietzfelbinger et al., J. Algorithms 1997).
  [[nodiscard]] std::uint8_t& cell(std::size_t row, std::uint32_t key) const noexcept {
    constexpr std::uint64_t kFactors[kRows] = {0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F};
    const std::uint64_t hash = (key + 1) * kFactors[row] >> 32;
    return cells_[row * columns_ + (hash * columns_ >> 32)];
  }

  std::span<std::uint8_t> cells_;
  std::size_t columns_;
};

}  // namespace gossamer
