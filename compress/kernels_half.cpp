#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/kernels_half.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>

#include "compress/kernels.hpp"
#include "compress/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

/// Finite values beyond ±limit become ±limit.
template <class D, class V>
HWY_INLINE V saturate(D d, V values, V limit) {
  const auto magnitude = hn::Abs(values);
  const auto beyond = hn::And(hn::Gt(magnitude, limit), hn::IsFinite(values));
  static_cast<void>(d);
  return hn::IfThenElse(beyond, hn::CopySign(limit, values), values);
}

/// Whether any of the values is beyond the limit, infinite or NaN: rare enough to be looked for first.
template <class D, class V>
HWY_INLINE bool any_beyond(D, V values0, V values1, float limit) {
  const hn::RebindToSigned<D> di;
  const auto magnitude = hn::Set(di, 0x7fffffff);
  const auto bits0 = hn::And(hn::BitCast(di, values0), magnitude);
  const auto bits1 = hn::And(hn::BitCast(di, values1), magnitude);
  const auto beyond = hn::Gt(hn::Max(bits0, bits1), hn::Set(di, std::bit_cast<std::int32_t>(limit)));
  return !hn::AllFalse(di, beyond);
}

template <class Lanes>
HWY_INLINE void narrow_all(std::span<const float> in, MutableBytes out, float largest) {
  const typename Lanes::D d;
  const std::size_t step = hn::Lanes(d);
  const auto limit = hn::Set(d, largest);
  std::size_t i = 0;
  for (; i + 2 * step <= in.size(); i += 2 * step) {
    hwy::Prefetch(in.data() + i + kPrefetchFloats);
    hwy::Prefetch(in.data() + i + kPrefetchFloats + step);
    auto values0 = hn::LoadU(d, in.data() + i);
    auto values1 = hn::LoadU(d, in.data() + i + step);
    if (HWY_UNLIKELY(any_beyond(d, values0, values1, largest))) {
      Lanes::put(d, saturate(d, values0, limit), out.data() + 2 * i);
      Lanes::put(d, saturate(d, values1, limit), out.data() + 2 * (i + step));
    } else {
      Lanes::put_finite(d, values0, out.data() + 2 * i);
      Lanes::put_finite(d, values1, out.data() + 2 * (i + step));
    }
  }
  for (; i < in.size(); i += step) {
    const std::size_t count = std::min(step, in.size() - i);
    HWY_ALIGN float tail[hn::MaxLanes(d)] = {};
    HWY_ALIGN std::byte halves[hn::MaxLanes(d) * 2];
    std::memcpy(tail, in.data() + i, count * sizeof(float));
    Lanes::put(d, saturate(d, hn::Load(d, tail), limit), halves);
    std::memcpy(out.data() + 2 * i, halves, count * 2);
  }
}

template <class Lanes>
HWY_INLINE void add_all(Bytes in, float scale, std::span<float> out) {
  const typename Lanes::D d;
  const std::size_t step = hn::Lanes(d);
  const auto factor = hn::Set(d, scale);
  std::size_t i = 0;
  for (; i + step <= out.size(); i += step) {
    const auto values = Lanes::load(d, in.data() + 2 * i);
    hn::StoreU(hn::MulAdd(values, factor, hn::LoadU(d, out.data() + i)), d, out.data() + i);
  }
  if (i == out.size()) return;
  HWY_ALIGN float tail[hn::MaxLanes(d)] = {};
  HWY_ALIGN std::byte halves[hn::MaxLanes(d) * 2] = {};
  std::memcpy(tail, out.data() + i, (out.size() - i) * sizeof(float));
  std::memcpy(halves, in.data() + 2 * i, (out.size() - i) * 2);
  hn::Store(hn::MulAdd(Lanes::load(d, halves), factor, hn::Load(d, tail)), d, tail);
  std::memcpy(out.data() + i, tail, (out.size() - i) * sizeof(float));
}

void narrow(DType half, std::span<const float> in, MutableBytes out) {
  if (half == DType::float16) {
    narrow_all<Float16Lanes>(in, out, kFloat16Max);
  } else {
    narrow_all<BFloat16Lanes>(in, out, kBFloat16Max);
  }
}

void add_widened(DType half, Bytes in, float scale, std::span<float> out) {
  if (half == DType::float16) {
    add_all<Float16Lanes>(in, scale, out);
  } else {
    add_all<BFloat16Lanes>(in, scale, out);
  }
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::kernels {

HWY_EXPORT(narrow);
HWY_EXPORT(add_widened);

void narrow(DType half, std::span<const float> in, MutableBytes out) noexcept {
  HWY_DYNAMIC_DISPATCH(narrow)(half, in, out);
}

void add_widened(DType half, Bytes in, float scale, std::span<float> out) noexcept {
  HWY_DYNAMIC_DISPATCH(add_widened)(half, in, scale, out);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
