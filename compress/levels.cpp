#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/levels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

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
HWY_EXPORT(quantise_sign);

void quantise_nearest(std::span<const float> in, const LevelRule& rule, std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_nearest)(in, rule, digits);
}

void quantise_stochastic(std::span<const float> in, const LevelRule& rule, const std::uint32_t* words,
                         std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_stochastic)(in, rule, words, digits);
}

void quantise_sign(std::span<const float> in, std::uint8_t* digits) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_sign)(in, digits);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
