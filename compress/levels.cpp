#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/levels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <limits>

#include "compress/levels-inl.hpp"
#include "compress/levels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

/// 1 for x ≥ 0, both zeros included.
struct Sign {
  HWY_INLINE hn::Vec<U32> operator()(hn::Vec<F32> values, std::size_t) const {
    const U32 du;
    return hn::IfThenElseZero(hn::RebindMask(du, hn::Ge(values, hn::Zero(F32()))), hn::Set(du, 1));
  }
};

/// Clearing the mantissa leaves the power of two below.
struct Natural {
  const std::uint32_t* words;
  HWY_INLINE hn::Vec<U32> operator()(hn::Vec<F32> value, std::size_t at) const {
    const F32 d;
    const auto one = hn::Set(d, 1.0F);
    const auto size = hn::Abs(value);
    const auto power = hn::BitCast(d, hn::And(hn::BitCast(U32(), size), hn::Set(U32(), 0x7f800000U)));
    const auto large = hn::Ge(size, one);
    const auto below = hn::IfThenElseZero(large, power);
    const auto gap = hn::IfThenElse(large, power, one);
    const auto up = hn::Lt(hn::Mul(uniforms(words + at), gap), hn::Sub(size, below));
    const auto rounded = hn::Add(below, hn::IfThenElseZero(up, gap));
    return hn::BitCast(U32(), hn::ConvertTo(I32(), hn::CopySign(rounded, value)));
  }
};

/// Returns table values less the bias.
struct Table {
  const LevelTable& table;
  const std::uint32_t* words;
  float bias;
  HWY_INLINE hn::Vec<U32> operator()(hn::Vec<F32> value, std::size_t at) const {
    const F32 d;
    const I32 di;
    const auto place = hn::Add(value, hn::Set(d, bias));
    const auto last = hn::Set(di, static_cast<std::int32_t>(2 * bias) - 1);
    const auto cell = hn::Min(hn::ConvertTo(di, place), last);
    const auto below = hn::GatherIndex(d, table.below.data(), cell);
    const auto gap = hn::GatherIndex(d, table.gap.data(), cell);
    const auto up = hn::Lt(hn::Mul(uniforms(words + at), gap), hn::Sub(place, below));
    const auto rounded = hn::Add(below, hn::IfThenElseZero(up, gap));
    return hn::BitCast(U32(), hn::ConvertTo(di, hn::Sub(rounded, hn::Set(d, bias))));
  }
};

void quantise_natural(std::span<const float> in, const LevelRule& rule, const std::uint32_t* words,
                      std::uint8_t* digits) {
  quantise(in, rule, Natural{words}, digits);
}

void quantise_table(std::span<const float> in, const LevelRule& rule, const LevelTable& table,
                    const std::uint32_t* words, std::uint8_t* digits) {
  quantise(in, rule, Table{table, words, static_cast<float>(rule.bias)}, digits);
}

void quantise_nearest(std::span<const float> in, const LevelRule& rule, std::uint8_t* digits) {
  quantise(in, rule, Nearest{}, digits);
}

void quantise_stochastic(std::span<const float> in, const LevelRule& rule, const std::uint32_t* words,
                         std::uint8_t* digits) {
  quantise(in, rule, Stochastic{words}, digits);
}

void quantise_sign(std::span<const float> in, std::uint8_t* digits) {
  constexpr float kAll = std::numeric_limits<float>::infinity();
  quantise_lifted<false>(in, LevelRule{{1.0F, 1.0F, 1.0F}, -kAll, kAll, 0}, Sign{}, digits);
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::kernels {

HWY_EXPORT(quantise_nearest);
HWY_EXPORT(quantise_stochastic);
HWY_EXPORT(quantise_natural);
HWY_EXPORT(quantise_table);
HWY_EXPORT(quantise_sign);

void quantise_nearest(std::span<const float> in, const LevelRule& rule, std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_nearest)(in, rule, digits);
}

void quantise_stochastic(std::span<const float> in, const LevelRule& rule, const std::uint32_t* words,
                         std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_stochastic)(in, rule, words, digits);
}

void quantise_natural(std::span<const float> in, const LevelRule& rule, const std::uint32_t* words,
                      std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_natural)(in, rule, words, digits);
}

void quantise_table(std::span<const float> in, const LevelRule& rule, const LevelTable& table,
                    const std::uint32_t* words, std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_table)(in, rule, table, words, digits);
}

void quantise_sign(std::span<const float> in, std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_sign)(in, digits);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
