#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/sign_kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "compress/lanes-inl.hpp"
#include "compress/sign_kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::signs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F64 = hn::ScalableTag<double>;
using F32 = hn::Rebind<float, F64>;

/// Values per word of bits.
constexpr std::size_t kWord = 64;

/// Sums in double: floats as large as they get, and as many as there are, leave it room.
struct Sums {
  hn::Vec<F64> negative;
  hn::Vec<F64> positive;
};

/// The bits of one vector.
HWY_INLINE std::uint64_t bits_of(const float* from, Sums& sums) {
  const F32 d;
  const F64 d64;
  const auto value = hn::LoadU(d, from);
  const auto below = hn::Lt(value, hn::Zero(d));
  sums.negative = hn::Add(sums.negative, hn::PromoteTo(d64, hn::IfThenElseZero(below, value)));
  sums.positive = hn::Add(sums.positive, hn::PromoteTo(d64, hn::IfThenZeroElse(below, value)));
  std::uint64_t bits = 0;
  hn::StoreMaskBits(d, below, reinterpret_cast<std::uint8_t*>(&bits));
  return bits;
}

HWY_INLINE std::uint64_t word_of(const float* from, Sums& even, Sums& odd) {
  constexpr std::size_t kStep = hn::MaxLanes(F32());
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < kWord; i += 2 * kStep) {
    word |= bits_of(from + i, even) << i;
    word |= bits_of(from + i + kStep, odd) << (i + kStep);
  }
  return word;
}

Sides pack(std::span<const float> values, MutableBytes bits) {
  const F64 d64;
  Sums even{hn::Zero(d64), hn::Zero(d64)};
  Sums odd{hn::Zero(d64), hn::Zero(d64)};
  Sides sides;
  for (std::size_t i = 0; i < values.size(); i += kWord) {
    const std::size_t count = std::min(kWord, values.size() - i);
    std::uint64_t word = 0;
    if (count == kWord) {
      hwy::Prefetch(values.data() + i + kernels::HWY_NAMESPACE::kPrefetchFloats);
      word = word_of(values.data() + i, even, odd);
    } else {
      HWY_ALIGN float tail[kWord] = {};
      std::memcpy(tail, values.data() + i, count * sizeof(float));
      word = word_of(tail, even, odd);
    }
    sides.negatives += static_cast<std::size_t>(std::popcount(word));
    std::memcpy(bits.data() + i / 8, &word, bytes_of(count));
  }
  sides.negative = hn::GetLane(hn::SumOfLanes(d64, hn::Add(even.negative, odd.negative)));
  sides.positive = hn::GetLane(hn::SumOfLanes(d64, hn::Add(even.positive, odd.positive)));
  return sides;
}

HWY_INLINE void add_word(std::uint64_t word, Levels levels, float scale, float* out) {
  const hn::ScalableTag<float> d;
  constexpr std::size_t kStep = hn::MaxLanes(hn::ScalableTag<float>());
  for (std::size_t i = 0; i < kWord; i += kStep) {
    const std::uint64_t bits = word >> i;
    const auto below = hn::LoadMaskBits(d, reinterpret_cast<const std::uint8_t*>(&bits));
    const auto level = hn::IfThenElse(below, hn::Set(d, levels.negative), hn::Set(d, levels.positive));
    hn::StoreU(hn::MulAdd(level, hn::Set(d, scale), hn::LoadU(d, out + i)), d, out + i);
  }
}

void add(Bytes bits, Levels levels, float scale, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); i += kWord) {
    const std::size_t count = std::min(kWord, out.size() - i);
    std::uint64_t word = 0;
    std::memcpy(&word, bits.data() + i / 8, bytes_of(count));
    if (count == kWord) {
      add_word(word, levels, scale, out.data() + i);
      continue;
    }
    HWY_ALIGN float tail[kWord] = {};
    std::memcpy(tail, out.data() + i, count * sizeof(float));
    add_word(word, levels, scale, tail);
    std::memcpy(out.data() + i, tail, count * sizeof(float));
  }
}

}  // namespace gossamer::signs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::signs {

HWY_EXPORT(pack);
HWY_EXPORT(add);

Sides pack(std::span<const float> values, MutableBytes bits) noexcept {
  return HWY_DYNAMIC_DISPATCH(pack)(values, bits);
}

void add(Bytes bits, Levels levels, float scale, std::span<float> out) noexcept {
  HWY_DYNAMIC_DISPATCH(add)(bits, levels, scale, out);
}

Sides reference::pack(std::span<const float> values, MutableBytes bits) noexcept {
  Sides sides;
  std::fill(bits.begin(), bits.end(), std::byte{0});
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool below = values[i] < 0.0F;
    (below ? sides.negative : sides.positive) += static_cast<double>(values[i]);
    sides.negatives += below ? 1 : 0;
    if (below) bits[i / 8] |= std::byte{1} << (i % 8);
  }
  return sides;
}

void reference::add(Bytes bits, Levels levels, float scale, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool below = (bits[i / 8] >> (i % 8) & std::byte{1}) != std::byte{0};
    out[i] += scale * (below ? levels.negative : levels.positive);
  }
}

}  // namespace gossamer::signs
#endif  // HWY_ONCE
