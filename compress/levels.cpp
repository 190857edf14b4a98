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
  HWY_INLINE hn::Vec<U32> operator()(hn::Vec<F32> values) const {
    const U32 du;
    return hn::IfThenElseZero(hn::RebindMask(du, hn::Ge(values, hn::Zero(F32()))), hn::Set(du, 1));
  }
};

/// 0 and ± the powers of two; clearing the mantissa leaves the one below.
struct PowersOfTwo {
  HWY_INLINE Cell cell(hn::Vec<F32> value) const {
    const F32 d;
    const auto one = hn::Set(d, 1.0F);
    const auto size = hn::Abs(value);
    const auto power = hn::BitCast(d, hn::And(hn::BitCast(U32(), size), hn::Set(U32(), 0x7f800000U)));
    const auto large = hn::Ge(size, one);
    const auto below = hn::IfThenElseZero(large, power);
    return {below, hn::IfThenElse(large, power, one), hn::Sub(size, below)};
  }
  HWY_INLINE hn::Vec<F32> integer(hn::Vec<F32> level, hn::Vec<F32> value) const { return hn::CopySign(level, value); }
};

/// The values of the table, less the bias.
struct Table {
  const LevelTable& table;
  float bias;
  HWY_INLINE Cell cell(hn::Vec<F32> value) const {
    const F32 d;
    const I32 di;
    const auto place = hn::Add(value, hn::Set(d, bias));
    const auto last = hn::Set(di, static_cast<std::int32_t>(2 * bias) - 1);
    const auto index = hn::Min(hn::ConvertTo(di, place), last);
    const auto below = hn::GatherIndex(d, table.below.data(), index);
    return {below, hn::GatherIndex(d, table.gap.data(), index), hn::Sub(place, below)};
  }
  HWY_INLINE hn::Vec<F32> integer(hn::Vec<F32> level, hn::Vec<F32>) const {
    return hn::Sub(level, hn::Set(F32(), bias));
  }
};

void quantise_stochastic(const RoundingSource& source, const LevelRule& rule, std::uint8_t* digits) {
  round_to(Integers{}, source, rule, digits);
}

void quantise_natural(const RoundingSource& source, const LevelRule& rule, std::uint8_t* digits) {
  round_to(PowersOfTwo{}, source, rule, digits);
}

void quantise_table(const RoundingSource& source, const LevelRule& rule, const LevelTable& table,
                    std::uint8_t* digits) {
  round_to(Table{table, static_cast<float>(rule.bias)}, source, rule, digits);
}

void quantise_nearest(std::span<const float> in, const LevelRule& rule, std::uint8_t* digits) {
  quantise(in, rule, Nearest{}, digits);
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

void quantise_stochastic(const RoundingSource& source, const LevelRule& rule, std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_stochastic)(source, rule, digits);
}

void quantise_natural(const RoundingSource& source, const LevelRule& rule, std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_natural)(source, rule, digits);
}

void quantise_table(const RoundingSource& source, const LevelRule& rule, const LevelTable& table,
                    std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_table)(source, rule, table, digits);
}

void quantise_sign(std::span<const float> in, std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_sign)(in, digits);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
