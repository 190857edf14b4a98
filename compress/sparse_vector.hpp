#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gossamer {

/// Entries (index, value) with strictly ascending indices. Its memory grows to what it has had to hold, and twice that
/// when it grows, so that calls of like size stop allocating after the first.
class SparseVector {
 public:
  void clear() noexcept { size_ = 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<const std::uint32_t> indices() const noexcept { return {indices_.data(), size_}; }
  [[nodiscard]] std::span<const float> values() const noexcept { return {values_.data(), size_}; }
  [[nodiscard]] std::span<std::uint32_t> indices() noexcept { return {indices_.data(), size_}; }
  [[nodiscard]] std::span<float> values() noexcept { return {values_.data(), size_}; }

  /// Memory for `count` entries beyond size(), to be written at end_indices() and end_values() and then added().
  void make_room(std::size_t count) {
    if (size_ + count <= indices_.size()) return;
    indices_.resize(2 * (size_ + count));
    values_.resize(indices_.size());
  }
  [[nodiscard]] std::uint32_t* end_indices() noexcept { return indices_.data() + size_; }
  [[nodiscard]] float* end_values() noexcept { return values_.data() + size_; }
  void added(std::size_t count) noexcept { size_ += count; }
  /// Drops the entries from `size` on.
  void shrink(std::size_t size) noexcept { size_ = size; }

  /// `size` entries whose contents are unspecified until written.
  void resize(std::size_t size) {
    size_ = 0;
    make_room(size);
    size_ = size;
  }

 private:
  std::vector<std::uint32_t> indices_;
  std::vector<float> values_;
  std::size_t size_ = 0;
};

/// sum = a + b, values on common indices added. `sum` is neither a nor b.
void add_sparse(const SparseVector& a, const SparseVector& b, SparseVector& sum);

}  // namespace gossamer
