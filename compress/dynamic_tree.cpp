#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/dynamic_tree.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "compress/dynamic_tree.hpp"
#include "compress/levels-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::dynamic_tree::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using U32 = hn::RebindToUnsigned<F32>;
using kernels::HWY_NAMESPACE::kPrefetchFloats;

/// To the nearest code, with the value's sign. Additions before products: no instruction set makes one operation of
/// them, so that all agree.
struct Nearest {
  HWY_INLINE hn::Vec<U32> operator()(hn::Vec<F32> shares) const {
    const F32 d;
    const U32 du;
    const auto magnitude = hn::Abs(shares);
    auto code = hn::Mul(magnitude, hn::Set(d, kLines[0].slope));
    for (std::size_t i = 1; i < kLines.size(); ++i) {
      const auto line = hn::Mul(hn::Add(magnitude, hn::Set(d, kLines[i].offset)), hn::Set(d, kLines[i].slope));
      code = hn::Min(code, line);
    }
    const auto sign = hn::And(hn::ShiftRight<24>(hn::BitCast(du, shares)), hn::Set(du, kMagnitudes));
    return hn::Or(kernels::HWY_NAMESPACE::nearest(code), sign);
  }
};

void encode(std::span<const float> values, float largest, std::uint8_t* codes) {
  kernels::HWY_NAMESPACE::quantise(values, {int8_steps(largest), -1.0F, 1.0F}, Nearest{}, codes);
}

void add(const std::uint8_t* codes, float largest, float scale, std::span<float> out) {
  const F32 d;
  const I32 di;
  const hn::Rebind<std::uint8_t, F32> d8;
  const std::size_t step = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + step <= out.size(); i += step) {
    const auto value = hn::GatherIndex(d, kValues.data(), hn::PromoteTo(di, hn::LoadU(d8, codes + i)));
    const auto sum = hn::MulAdd(hn::Mul(value, hn::Set(d, largest)), hn::Set(d, scale), hn::LoadU(d, out.data() + i));
    hn::StoreU(sum, d, out.data() + i);
  }
  for (; i < out.size(); ++i) out[i] += scale * (kValues[codes[i]] * largest);
}

}  // namespace gossamer::dynamic_tree::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::dynamic_tree {

HWY_EXPORT(encode);
HWY_EXPORT(add);

void encode(std::span<const float> values, float largest, std::uint8_t* codes) noexcept {
  HWY_DYNAMIC_DISPATCH(encode)(values, largest, codes);
}

void add(const std::uint8_t* codes, float largest, float scale, std::span<float> out) noexcept {
  HWY_DYNAMIC_DISPATCH(add)(codes, largest, scale, out);
}

}  // namespace gossamer::dynamic_tree
#endif  // HWY_ONCE
