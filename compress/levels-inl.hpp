// Rounding of scaled values to small integers, one vector at a time. Included once per instruction set
// (hwy/foreach_target.h), hence the guard that toggles.
#if defined(GOSSAMER_LEVELS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSSAMER_LEVELS_INL
#undef GOSSAMER_LEVELS_INL
#else
#define GOSSAMER_LEVELS_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "compress/lanes-inl.hpp"
#include "compress/levels.hpp"
#include "compress/rounding-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

using F32 = hn::ScalableTag<float>;
using I32 = hn::Rebind<std::int32_t, F32>;
using U32 = hn::Rebind<std::uint32_t, F32>;
using U8 = hn::Rebind<std::uint8_t, F32>;

/// Values as steps of the lattice.
template <bool kLift>
HWY_INLINE hn::Vec<F32> in_steps(const float* from, const LevelRule& rule) {
  const F32 d;
  auto values = hn::LoadU(d, from);
  if constexpr (kLift) values = hn::Mul(values, hn::Set(d, rule.scale.lift));
  values = hn::Mul(values, hn::Set(d, rule.scale.inverse));
  return hn::Min(hn::Max(values, hn::Set(d, rule.low)), hn::Set(d, rule.high));
}

/// Rounders take values in steps and return vectors whose low bytes are the integers.
HWY_INLINE hn::Vec<U8> digits_of(hn::Vec<U32> rounded, const LevelRule& rule) {
  return hn::TruncateTo(U8(), hn::Add(rounded, hn::Set(U32(), rule.bias)));
}

/// Adding 1.5 · 2^23 leaves the nearest integer, ties to even, in the low bits: cheaper than a checked conversion.
HWY_INLINE hn::Vec<U32> nearest(hn::Vec<F32> values) {
  return hn::BitCast(U32(), hn::Add(values, hn::Set(F32(), 0x1.8p23F)));
}

struct Nearest {
  HWY_INLINE hn::Vec<U32> operator()(hn::Vec<F32> values) const { return nearest(values); }
};

template <bool kLift, class Round>
HWY_INLINE void quantise_lifted(std::span<const float> in, const LevelRule& rule, const Round& round,
                                std::uint8_t* digits) {
  const F32 d;
  const std::size_t step = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + step <= in.size(); i += step) {
    hwy::Prefetch(in.data() + i + kPrefetchFloats);
    hn::StoreU(digits_of(round(in_steps<kLift>(in.data() + i, rule)), rule), U8(), digits + i);
  }
  if (i == in.size()) return;
  HWY_ALIGN float tail[hn::MaxLanes(d)] = {};
  HWY_ALIGN std::uint8_t tail_digits[hn::MaxLanes(d)];
  std::memcpy(tail, in.data() + i, (in.size() - i) * sizeof(float));
  hn::StoreU(digits_of(round(in_steps<kLift>(tail, rule)), rule), U8(), tail_digits);
  std::memcpy(digits + i, tail_digits, in.size() - i);
}

template <class Round>
HWY_INLINE void quantise(std::span<const float> in, const LevelRule& rule, const Round& round, std::uint8_t* digits) {
  if (rule.scale.lift == 1.0F) {
    quantise_lifted<false>(in, rule, round, digits);
  } else {
    quantise_lifted<true>(in, rule, round, digits);
  }
}

/// Where values in steps lie: `rest` of `gap` above the level `below`. Values go up where u · gap < rest.
struct Cell {
  hn::Vec<F32> below;
  hn::Vec<F32> gap;
  hn::Vec<F32> rest;
  HWY_INLINE hn::Mask<F32> goes_up(hn::Vec<F32> uniform) const { return hn::Lt(hn::Mul(uniform, gap), rest); }
};

/// Levels tell a value's cell, and the integer that a level means. All integers; exact where floor(x + u) would round.
struct Integers {
  HWY_INLINE Cell cell(hn::Vec<F32> value) const {
    const auto floor = hn::Floor(value);
    return {floor, hn::Set(F32(), 1.0F), hn::Sub(value, floor)};
  }
  HWY_INLINE hn::Vec<F32> integer(hn::Vec<F32> level, hn::Vec<F32>) const { return level; }
};

constexpr unsigned kLowerBits = 16;  // with the upper 8 as many as a float has

/// Stores the digits of a vector; which of its values the lower bits may still take down.
template <bool kLift, class Levels>
HWY_INLINE std::uint64_t round_vector(const float* from, hn::Vec<F32> uniform, const LevelRule& rule,
                                      const Levels& levels, std::uint8_t* digits) {
  const F32 d;
  const auto values = in_steps<kLift>(from, rule);
  const Cell cell = levels.cell(values);
  const auto up = cell.goes_up(uniform);
  const auto surely = cell.goes_up(hn::Add(uniform, hn::Set(d, kUpperStep)));
  const auto level = hn::Add(cell.below, hn::IfThenElseZero(up, cell.gap));
  hn::StoreU(digits_of(nearest(levels.integer(level, values)), rule), U8(), digits);
  return mask_bits(d, hn::AndNot(surely, up));
}

template <bool kLift, class Levels>
HWY_INLINE void round_word(const RoundingPiece& piece, const float* from, const LevelRule& rule, const Levels& levels,
                           std::uint8_t* digits) {
  const F32 d;
  const std::size_t step = hn::Lanes(d);
  std::uint64_t open = 0;
  for (std::size_t i = 0; i < kRoundingWord; i += step) {
    open |= round_vector<kLift>(from + i, upper_uniforms(piece.upper + i), rule, levels, digits + i) << i;
  }
  for (; HWY_UNLIKELY(open != 0); open &= open - 1) {
    const auto at = static_cast<std::size_t>(std::countr_zero(open));
    const std::size_t i = at - at % step;
    const auto lower = hn::Set(d, static_cast<float>(piece.lower(at, kLowerBits)) * 0x1p-24F);
    const auto uniform = hn::Add(upper_uniforms(piece.upper + i), lower);
    HWY_ALIGN std::uint8_t redone[hn::MaxLanes(d)];
    static_cast<void>(round_vector<kLift>(from + i, uniform, rule, levels, redone));
    digits[at] = redone[at - i];
  }
}

template <bool kLift, class Levels>
HWY_INLINE void round_lifted(const RoundingSource& source, const LevelRule& rule, const Levels& levels,
                             std::uint8_t* digits) {
  for_each_rounding(source, [&](const RoundingPiece& piece) HWY_ATTR {
    if (piece.count == kRoundingWord) {
      round_word<kLift>(piece, piece.values(), rule, levels, digits + piece.at);
      return;
    }
    HWY_ALIGN float tail[kRoundingWord] = {};
    HWY_ALIGN std::uint8_t tail_digits[kRoundingWord];
    std::memcpy(tail, piece.values(), piece.count * sizeof(float));
    round_word<kLift>(piece, tail, rule, levels, tail_digits);
    std::memcpy(digits + piece.at, tail_digits, piece.count);
  });
}

/// To one of the two levels around, at random.
template <class Levels>
HWY_INLINE void round_to(const Levels& levels, const RoundingSource& source, const LevelRule& rule,
                         std::uint8_t* digits) {
  if (rule.scale.lift == 1.0F) {
    round_lifted<false>(source, rule, levels, digits);
  } else {
    round_lifted<true>(source, rule, levels, digits);
  }
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
