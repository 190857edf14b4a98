#include "compress/sparse_vector.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gossamer {
namespace {

/// `value`, or +0 when `wanted` is 0, without a branch.
float masked(float value, std::uint32_t wanted) noexcept {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & (0U - wanted));
}

/// One merge in progress: the entries [i, end_a) of a and [j, end_b) of b go to `indices` and `values` from `out` on.
struct Merge {
  const SparseVector& a;
  const SparseVector& b;
  std::uint32_t* indices;
  float* values;
  std::size_t i;
  std::size_t end_a;
  std::size_t j;
  std::size_t end_b;
  std::size_t out;

  [[nodiscard]] bool both_left() const noexcept { return i < end_a && j < end_b; }
  // Which of the two comes next is a coin toss that no branch predictor guesses, hence arithmetic.
  void step() noexcept {
    const std::uint32_t next_a = a.indices()[i];
    const std::uint32_t next_b = b.indices()[j];
    const std::uint32_t from_a = next_a <= next_b;
    const std::uint32_t from_b = next_b <= next_a;
    indices[out] = from_a != 0 ? next_a : next_b;
    values[out] = masked(a.values()[i], from_a) + masked(b.values()[j], from_b);
    i += from_a;
    j += from_b;
    ++out;
  }
  void copy_rest(const SparseVector& from, std::size_t start, std::size_t end) noexcept {
    if (start == end) return;
    std::memcpy(indices + out, from.indices().data() + start, (end - start) * sizeof(std::uint32_t));
    std::memcpy(values + out, from.values().data() + start, (end - start) * sizeof(float));
    out += end - start;
  }
  void finish() noexcept {
    while (both_left()) step();
    copy_rest(a, i, end_a);
    copy_rest(b, j, end_b);
  }
};

}  // namespace

void add_sparse(const SparseVector& a, const SparseVector& b, SparseVector& sum) {
  sum.resize(a.size() + b.size());
  std::uint32_t* indices = sum.indices().data();
  float* values = sum.values().data();
  // Each step waits for the one before it, so two halves of the index range, merged in turns, take half the time.
  const std::size_t half_a = a.size() / 2;
  const auto in_b = b.indices();
  const std::size_t half_b =
      half_a == 0
          ? 0
          : static_cast<std::size_t>(std::lower_bound(in_b.begin(), in_b.end(), a.indices()[half_a]) - in_b.begin());
  Merge low{a, b, indices, values, 0, half_a, 0, half_b, 0};
  Merge high{a, b, indices, values, half_a, a.size(), half_b, b.size(), half_a + half_b};
  while (low.both_left() && high.both_left()) {
    low.step();
    high.step();
  }
  low.finish();
  high.finish();
  // The low half leaves one place free for every index that a and b share there.
  const std::size_t start = half_a + half_b;
  if (high.out > start) {
    std::memmove(indices + low.out, indices + start, (high.out - start) * sizeof(std::uint32_t));
    std::memmove(values + low.out, values + start, (high.out - start) * sizeof(float));
  }
  sum.resize(low.out + high.out - start);
}

}  // namespace gossamer
