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

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "compress/lanes-inl.hpp"
#include "compress/levels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

using F32 = hn::ScalableTag<float>;
using I32 = hn::Rebind<std::int32_t, F32>;
using U32 = hn::Rebind<std::uint32_t, F32>;
using U8 = hn::Rebind<std::uint8_t, F32>;

/// The uniforms in [0, 1) of 24 bits that random words stand for.
HWY_INLINE hn::Vec<F32> uniforms(const std::uint32_t* words) {
  const F32 d;
  const I32 di;
  const auto bits = hn::BitCast(di, hn::LoadU(U32(), words));
  const auto integer = hn::And(hn::ShiftRight<8>(bits), hn::Set(di, 0xffffff));
  return hn::Mul(hn::ConvertTo(d, integer), hn::Set(d, 0x1p-24F));
}

/// Rounders take values in steps of the lattice and the index of the vector's first value, and return vectors whose low
/// bytes are the integers. Adding 1.5 · 2^23 leaves the nearest integer, ties to even, in the low bits: cheaper than a
/// checked conversion.
struct Nearest {
  HWY_INLINE hn::Vec<U32> operator()(hn::Vec<F32> values, std::size_t) const {
    return hn::BitCast(U32(), hn::Add(values, hn::Set(F32(), 0x1.8p23F)));
  }
};

/// floor(x) + [u < x − floor(x)]: exact where floor(x + u) would round.
struct Stochastic {
  const std::uint32_t* words;
  HWY_INLINE hn::Vec<U32> operator()(hn::Vec<F32> value, std::size_t at) const {
    const F32 d;
    const auto floor = hn::Floor(value);
    const auto up = hn::Lt(uniforms(words + at), hn::Sub(value, floor));
    const auto rounded = hn::Add(floor, hn::IfThenElseZero(up, hn::Set(d, 1.0F)));
    return hn::BitCast(U32(), hn::ConvertTo(I32(), rounded));
  }
};

/// digits ← round(clamp(x / scale, low, high)) + bias.
template <bool kLift, class Round>
HWY_INLINE hn::Vec<U8> digits_of(const float* from, const LevelRule& rule, const Round& round, std::size_t at) {
  const F32 d;
  auto values = hn::LoadU(d, from);
  if constexpr (kLift) values = hn::Mul(values, hn::Set(d, rule.scale.lift));
  values = hn::Mul(values, hn::Set(d, rule.scale.inverse));
  values = hn::Min(hn::Max(values, hn::Set(d, rule.low)), hn::Set(d, rule.high));
  return hn::TruncateTo(U8(), hn::Add(round(values, at), hn::Set(U32(), rule.bias)));
}

template <bool kLift, class Round>
HWY_INLINE void quantise_lifted(std::span<const float> in, const LevelRule& rule, const Round& round,
                                std::uint8_t* digits) {
  const F32 d;
  const U8 d8;
  const std::size_t step = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + step <= in.size(); i += step) {
    hwy::Prefetch(in.data() + i + kPrefetchFloats);
    hn::StoreU(digits_of<kLift>(in.data() + i, rule, round, i), d8, digits + i);
  }
  if (i == in.size()) return;
  HWY_ALIGN float tail[hn::MaxLanes(d)] = {};
  HWY_ALIGN std::uint8_t tail_digits[hn::MaxLanes(d)];
  std::memcpy(tail, in.data() + i, (in.size() - i) * sizeof(float));
  hn::StoreU(digits_of<kLift>(tail, rule, round, i), d8, tail_digits);
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

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
