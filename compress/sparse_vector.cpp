#include "compress/sparse_vector.hpp"

#include <bit>
#include <cstring>

namespace gossamer {
namespace {

/// `value`, or +0 when `wanted` is 0, without a branch.
float masked(float value, std::uint32_t wanted) noexcept {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & (0U - wanted));
}

void append(const SparseVector& from, std::size_t start, SparseVector& to) {
  const std::size_t count = from.size() - start;
  if (count == 0) return;
  std::memcpy(to.end_indices(), from.indices().data() + start, count * sizeof(std::uint32_t));
  std::memcpy(to.end_values(), from.values().data() + start, count * sizeof(float));
  to.added(count);
}

}  // namespace

void add_sparse(const SparseVector& a, const SparseVector& b, SparseVector& sum) {
  sum.clear();
  sum.make_room(a.size() + b.size());
  const auto indices_a = a.indices();
  const auto indices_b = b.indices();
  const auto values_a = a.values();
  const auto values_b = b.values();
  std::uint32_t* indices = sum.end_indices();
  float* values = sum.end_values();
  std::size_t i = 0;
  std::size_t j = 0;
  std::size_t count = 0;
  // Which of the two comes next is a coin toss that no branch predictor guesses.
  while (i < a.size() && j < b.size()) {
    const std::uint32_t next = std::min(indices_a[i], indices_b[j]);
    const std::uint32_t from_a = indices_a[i] == next;
    const std::uint32_t from_b = indices_b[j] == next;
    indices[count] = next;
    values[count] = masked(values_a[i], from_a) + masked(values_b[j], from_b);
    i += from_a;
    j += from_b;
    ++count;
  }
  sum.added(count);
  append(a, i, sum);
  append(b, j, sum);
}

}  // namespace gossamer
