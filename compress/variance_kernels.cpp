#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/variance_kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/selector-inl.hpp"
#include "compress/variance_kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

constexpr float kLargest = std::numeric_limits<float>::max();

void add_squares(std::span<const float> values, std::span<float> moments) {
  const Floats d;
  const auto largest = hn::Set(d, kLargest);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= values.size(); i += hn::Lanes(d)) {
    hwy::Prefetch(values.data() + i + kPrefetchFloats);
    const auto value = hn::LoadU(d, values.data() + i);
    // The bound between product and sum keeps instruction sets that have both in one from using it.
    const auto square = hn::Min(hn::Mul(value, value), largest);
    hn::StoreU(hn::Min(hn::Add(hn::LoadU(d, moments.data() + i), square), largest), d, moments.data() + i);
  }
  for (; i < values.size(); ++i) {
    moments[i] = std::min(moments[i] + std::min(values[i] * values[i], kLargest), kLargest);
  }
}

void mark_outgrown(std::span<const float> values, double weight, float factor, std::span<float> moments) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> d32;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= values.size(); i += hn::Lanes(d)) {
    hwy::Prefetch(values.data() + i + kPrefetchFloats);
    const auto value = hn::PromoteTo(d, hn::LoadU(d32, values.data() + i));
    const auto moment = hn::PromoteTo(d, hn::LoadU(d32, moments.data() + i));
    const auto outgrown = hn::Gt(hn::Mul(value, value), hn::Mul(moment, hn::Set(d, weight)));
    const auto decayed = hn::Mul(hn::Abs(moment), hn::Set(d, static_cast<double>(factor)));
    hn::StoreU(hn::DemoteTo(d32, hn::IfThenElse(outgrown, hn::Set(d, -0.0), decayed)), d32, moments.data() + i);
  }
  for (; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    moments[i] = value * value > weight * static_cast<double>(moments[i]) ? -0.0F : factor * std::abs(moments[i]);
  }
}

std::size_t pick_marked(std::span<const float> values, const float* marks, std::uint32_t first_index,
                        const PickedEntries& out) {
  const Floats d;
  const Keys di;
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= values.size(); i += hn::Lanes(d)) {
    hwy::Prefetch(marks + i + kPrefetchFloats);
    const auto chosen = hn::Lt(hn::BitCast(di, hn::LoadU(d, marks + i)), hn::Zero(di));
    if (HWY_LIKELY(hn::AllFalse(di, chosen))) continue;
    found += store_picked(hn::LoadU(d, values.data() + i), chosen, first_index + static_cast<std::uint32_t>(i),
                          out.indices + found, out.values + found);
  }
  for (; i < values.size(); ++i) {
    if (!std::signbit(marks[i])) continue;
    out.indices[found] = first_index + static_cast<std::uint32_t>(i);
    out.values[found++] = values[i];
  }
  return found;
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::kernels {

HWY_EXPORT(add_squares);
HWY_EXPORT(mark_outgrown);
HWY_EXPORT(pick_marked);

void add_squares(std::span<const float> values, std::span<float> moments) noexcept {
  HWY_DYNAMIC_DISPATCH(add_squares)(values, moments);
}

void mark_outgrown(std::span<const float> values, double weight, float factor, std::span<float> moments) noexcept {
  HWY_DYNAMIC_DISPATCH(mark_outgrown)(values, weight, factor, moments);
}

std::size_t pick_marked(std::span<const float> values, const float* marks, std::uint32_t first_index,
                        const PickedEntries& out) noexcept {
  return HWY_DYNAMIC_DISPATCH(pick_marked)(values, marks, first_index, out);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
