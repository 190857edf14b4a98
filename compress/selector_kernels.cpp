#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/selector_kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <bit>

#include "compress/selector-inl.hpp"
#include "compress/selector_kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

// 2 KiB ahead: the hardware prefetchers alone leave a fifth of one core's memory bandwidth unused. Prefetches beyond
// the tensor's end do nothing.
HWY_INLINE hn::Vec<Keys> load_keys(const float* from) {
  const Keys d;
  hwy::Prefetch(from + 512);
  return hn::And(hn::BitCast(d, hn::LoadU(Floats(), from)), hn::Set(d, 0x7fffffff));
}

HWY_INLINE std::uint32_t key_of(float value) {
  return std::bit_cast<std::uint32_t>(value) & kMaxKey;
}

HWY_INLINE void bracket_vector(const float* from, std::uint32_t low, std::uint32_t high, BracketCount& count,
                               std::uint32_t* between) {
  const Keys d;
  const auto keys = load_keys(from);
  const auto lowest = hn::Set(d, static_cast<std::int32_t>(low));
  const auto highest = hn::Set(d, static_cast<std::int32_t>(high));
  const auto below_low = hn::Lt(keys, lowest);
  // Few vectors have a key to count: looking first is several times faster where compressing takes a table.
  if (HWY_LIKELY(hn::AllTrue(d, below_low))) return;
  const auto below_high = hn::Lt(keys, highest);
  const auto inside = hn::And(below_high, hn::Gt(keys, lowest));
  count.at_least_low += hn::Lanes(d) - hn::CountTrue(d, below_low);
  count.at_least_high += hn::Lanes(d) - hn::CountTrue(d, below_high);
  count.above_high += hn::CountTrue(d, hn::Gt(keys, highest));
  const auto packed = hn::Compress(hn::BitCast(Words(), keys), hn::RebindMask(Words(), inside));
  hn::StoreU(packed, Words(), between + count.between);
  count.between += hn::CountTrue(d, inside);
}

HWY_INLINE void bracket_block(std::span<const float> values, std::uint32_t low, std::uint32_t high, BracketCount& total,
                              std::uint32_t* between) {
  const std::size_t lanes = hn::Lanes(Keys());
  BracketCount count = total;  // a copy stays in registers
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) bracket_vector(values.data() + i, low, high, count, between);
  for (; i < values.size(); ++i) {
    const std::uint32_t key = key_of(values[i]);
    count.at_least_low += key >= low;
    count.at_least_high += key >= high;
    count.above_high += key > high;
    if (key > low && key < high) between[count.between++] = key;
  }
  total = count;
}

constexpr std::size_t kBracketBlock = 4096;

BracketCount count_bracket(std::span<const float> values, std::uint32_t low, std::uint32_t high,
                           std::span<std::uint32_t> between) {
  BracketCount count;
  for (std::size_t at = 0; at < values.size(); at += kBracketBlock) {
    const auto block = values.subspan(at, HWY_MIN(kBracketBlock, values.size() - at));
    if (count.between + block.size() + kStoreSlack > between.size()) {
      count.fits = false;
      break;
    }
    bracket_block(block, low, high, count, between.data());
  }
  return count;
}

std::size_t pick_above(std::span<const float> values, std::uint32_t above, std::uint32_t first_index,
                       std::uint32_t* indices, float* picked) {
  const Keys d;
  const std::size_t lanes = hn::Lanes(d);
  const auto bound = hn::Set(d, static_cast<std::int32_t>(above));
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    const auto chosen = hn::Gt(load_keys(values.data() + i), bound);
    if (HWY_LIKELY(hn::AllFalse(d, chosen))) continue;
    found += store_picked(hn::LoadU(Floats(), values.data() + i), chosen, static_cast<std::uint32_t>(first_index + i),
                          indices + found, picked + found);
  }
  for (; i < values.size(); ++i) {
    if (key_of(values[i]) <= above) continue;
    indices[found] = static_cast<std::uint32_t>(first_index + i);
    picked[found++] = values[i];
  }
  return found;
}

std::size_t end_of_nth_equal(std::span<const float> values, std::uint32_t key, std::size_t nth) {
  const Keys d;
  const std::size_t lanes = hn::Lanes(d);
  const auto wanted = hn::Set(d, static_cast<std::int32_t>(key));
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    const std::size_t equal = hn::CountTrue(d, hn::Eq(load_keys(values.data() + i), wanted));
    if (equal >= nth) break;
    nth -= equal;
  }
  for (; i < values.size() && nth > 0; ++i) nth -= key_of(values[i]) == key;
  return i;
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace gossamer::kernels {

HWY_EXPORT(count_bracket);
HWY_EXPORT(pick_above);
HWY_EXPORT(end_of_nth_equal);

BracketCount count_bracket(std::span<const float> values, std::uint32_t low, std::uint32_t high,
                           std::span<std::uint32_t> between) noexcept {
  return HWY_DYNAMIC_DISPATCH(count_bracket)(values, low, high, between);
}

std::size_t pick_above(std::span<const float> values, std::uint32_t above, std::uint32_t first_index,
                       std::uint32_t* indices, float* picked) noexcept {
  return HWY_DYNAMIC_DISPATCH(pick_above)(values, above, first_index, indices, picked);
}

std::size_t end_of_nth_equal(std::span<const float> values, std::uint32_t key, std::size_t nth) noexcept {
  return HWY_DYNAMIC_DISPATCH(end_of_nth_equal)(values, key, nth);
}

}  // namespace gossamer::kernels

#endif
