#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/kernels_half.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

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

template <class Lanes>
HWY_INLINE void narrow_all(std::span<const float> in, MutableBytes out, float largest) {
  const typename Lanes::D d;
  const std::size_t step = hn::Lanes(d);
  const auto limit = hn::Set(d, largest);
  std::size_t i = 0;
  for (; i + step <= in.size(); i += step) {
    Lanes::put(d, saturate(d, hn::LoadU(d, in.data() + i), limit), out.data() + 2 * i);
  }
  if (i == in.size()) return;
  HWY_ALIGN float tail[hn::MaxLanes(d)] = {};
  HWY_ALIGN std::byte halves[hn::MaxLanes(d) * 2];
  std::memcpy(tail, in.data() + i, (in.size() - i) * sizeof(float));
  Lanes::put(d, saturate(d, hn::Load(d, tail), limit), halves);
  std::memcpy(out.data() + 2 * i, halves, (in.size() - i) * 2);
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
