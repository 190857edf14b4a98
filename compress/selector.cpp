#include "compress/selector.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace gossamer {
namespace {

using kernels::kMaxKey;

constexpr std::size_t kSmallTensor = 4096;  // sampling costs more than looking at every value
constexpr std::size_t kBlock = 4096;        // values between two checks for room
constexpr std::size_t kMinSample = 2048;
constexpr std::size_t kMaxSample = 32768;
constexpr double kSampleDeviations = 5;  // the bracket misses once in about a million calls

}  // namespace

void Selector::reset() noexcept {
  key_ = kMaxKey;
  tie_end_ = 0;
}

Selector::Bracket Selector::sample(std::span<const float> tensor, std::size_t k) {
  if (tensor.size() <= kSmallTensor) return {0, kMaxKey, tensor.size()};
  const std::size_t taken = std::clamp(tensor.size() / 64, kMinSample, kMaxSample);
  sample_.draw(tensor, taken);

  const double share = static_cast<double>(k) / static_cast<double>(tensor.size());
  const double rank = share * static_cast<double>(taken);
  const double margin = kSampleDeviations * std::sqrt(rank * (1 - share) + 1) + 1;
  Bracket bracket{0, kMaxKey, 0};
  if (rank > margin) bracket.high = sample_.nth_largest(static_cast<std::size_t>(rank - margin));
  const auto low_rank = static_cast<std::size_t>(rank + margin);
  if (low_rank < taken) bracket.low = sample_.nth_largest(low_rank);
  bracket.expected = static_cast<std::size_t>(2 * margin * static_cast<double>(tensor.size() / taken + 1));
  return bracket;
}

bool Selector::find_in_bracket(std::span<const float> tensor, std::size_t k, Threshold& found) {
  const Bracket bracket = sample(tensor, k);
  const std::size_t room = std::min(2 * bracket.expected + kBlock, tensor.size()) + kernels::kStoreSlack;
  if (candidates_.size() < room) candidates_.resize(room);
  const kernels::BracketCount count = kernels::count_bracket(tensor, bracket.low, bracket.high, candidates_);
  const std::size_t above_low = count.at_least_high + count.between;
  if (!count.fits || k <= count.above_high || k > count.at_least_low) return false;
  if (k <= count.at_least_high) {
    found = {bracket.high, count.above_high, count.at_least_high - count.above_high};
  } else if (k > above_low) {
    found = {bracket.low, above_low, count.at_least_low - above_low};
  } else {
    const std::span<std::uint32_t> inside(candidates_.data(), count.between);
    found.key = nth_largest(inside, k - count.at_least_high - 1);
    found.larger = count.at_least_high;
    found.equal = 0;
    for (const std::uint32_t key : inside) {
      found.larger += key > found.key;
      found.equal += key == found.key;
    }
  }
  return true;
}

Selector::Threshold Selector::find_by_histogram(std::span<const float> tensor, std::size_t k) {
  Threshold found;
  // The key's 31 bits from the top, 11 + 10 + 10: each pass fixes the next ones.
  for (int shift = 20; shift >= 0; shift -= 10) {
    const int bits = shift == 20 ? 11 : 10;
    const std::uint32_t fixed_bits = shift == 20 ? 0 : kMaxKey & ~((1U << (shift + bits)) - 1);
    std::array<std::size_t, 2048> histogram{};
    for (const float value : tensor) {
      const std::uint32_t key = key_of(value);
      if ((key & fixed_bits) == found.key) ++histogram[(key >> shift) & ((1U << bits) - 1)];
    }
    std::uint32_t digit = (1U << bits) - 1;
    for (; found.larger + histogram[digit] < k; --digit) found.larger += histogram[digit];
    found.key |= digit << shift;
    found.equal = histogram[digit];
  }
  return found;
}

void Selector::choose(std::span<const float> tensor, std::size_t k) {
  reset();
  k = std::min(k, tensor.size());
  if (k == 0) return;
  Threshold found;
  if (!find_in_bracket(tensor, k, found)) found = find_by_histogram(tensor, k);
  key_ = found.key;
  if (found.key == 0) return;
  const std::size_t ties = k - found.larger;
  tie_end_ = ties == found.equal ? tensor.size() : kernels::end_of_nth_equal(tensor, found.key, ties);
}

void pick_above(std::span<const float> run, std::uint32_t above, std::size_t first_index, SparseVector& out) {
  for (std::size_t at = 0; at < run.size(); at += kBlock) {
    const std::span<const float> block = run.subspan(at, std::min(kBlock, run.size() - at));
    out.make_room(block.size() + kernels::kStoreSlack);
    out.added(kernels::pick_above(block, above, static_cast<std::uint32_t>(first_index + at), out.end_indices(),
                                  out.end_values()));
  }
}

void Selector::pick(std::span<const float> run, std::size_t offset, SparseVector& out) const {
  const std::size_t ties = std::clamp(tie_end_, offset, offset + run.size()) - offset;
  pick_above(run.first(ties), key_ - 1, 0, out);
  pick_above(run.subspan(ties), key_, ties, out);
}

}  // namespace gossamer
