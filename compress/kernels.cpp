#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "compress/kernels.hpp"
#include "compress/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

/// out ← op(out, in), vector by vector; whether every result is finite. x·0 is NaN exactly when x is not finite, so one
/// fused multiply-add per vector does the check.
template <class Lanes, class Op>
HWY_INLINE bool transform(MutableBytes out, Bytes in, const Op& op) {
  const typename Lanes::D d;
  const std::size_t step = hn::Lanes(d) * Lanes::kBytes;
  const auto zero = hn::Zero(d);
  auto check = zero;
  std::size_t at = 0;
  for (; at + step <= out.size(); at += step) {
    const auto result = op(d, Lanes::load(d, out.data() + at), Lanes::load(d, in.data() + at));
    check = hn::MulAdd(Lanes::store(d, result, out.data() + at), zero, check);
  }
  if (at < out.size()) {
    HWY_ALIGN std::byte tail_out[hn::MaxLanes(d) * Lanes::kBytes] = {};
    HWY_ALIGN std::byte tail_in[hn::MaxLanes(d) * Lanes::kBytes] = {};
    std::memcpy(tail_out, out.data() + at, out.size() - at);
    std::memcpy(tail_in, in.data() + at, out.size() - at);
    const auto result = op(d, Lanes::load(d, tail_out), Lanes::load(d, tail_in));
    check = hn::MulAdd(Lanes::store(d, result, tail_out), zero, check);
    std::memcpy(out.data() + at, tail_out, out.size() - at);
  }
  return hn::AllTrue(d, hn::Eq(check, zero));
}

template <class Value>
struct AddScaled {
  Value scale;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V out, V in) const {
    return hn::MulAdd(in, hn::Set(d, scale), out);
  }
};

struct Add {
  template <class D, class V>
  HWY_INLINE V operator()(D, V out, V in) const {
    return hn::Add(out, in);
  }
};

template <class Value>
struct Rescale {
  Value scale;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V out, V) const {
    return hn::Mul(out, hn::Set(d, scale));
  }
};

template <template <class> class Op, class Lanes>
HWY_INLINE bool scaled(MutableBytes out, Bytes in, double scale) {
  using Value = typename Lanes::Value;
  return transform<Lanes>(out, in, Op<Value>{static_cast<Value>(scale)});
}

template <template <class> class Op>
HWY_INLINE bool for_type(DType type, MutableBytes out, Bytes in, double scale) {
  switch (type) {
    case DType::float64:
      return scaled<Op, Float64Lanes>(out, in, scale);
    case DType::float16:
      return scaled<Op, Float16Lanes>(out, in, scale);
    case DType::bfloat16:
      return scaled<Op, BFloat16Lanes>(out, in, scale);
    case DType::float32:
      break;
  }
  return scaled<Op, Float32Lanes>(out, in, scale);
}

void add_scaled(DType type, MutableBytes out, Bytes in, double scale) {
  if (type == DType::float32 && scale == 1.0) {
    transform<Float32Lanes>(out, in, Add{});
  } else {
    for_type<AddScaled>(type, out, in, scale);
  }
}

bool rescale(DType type, MutableBytes values, double scale) {
  return for_type<Rescale>(type, values, values, scale);
}

template <class Lanes>
HWY_INLINE bool finite(Bytes values) {
  const typename Lanes::D d;
  const std::size_t step = hn::Lanes(d) * Lanes::kBytes;
  const auto zero = hn::Zero(d);
  auto check0 = zero;
  auto check1 = zero;
  std::size_t at = 0;
  for (; at + 2 * step <= values.size(); at += 2 * step) {
    check0 = hn::MulAdd(Lanes::load(d, values.data() + at), zero, check0);
    check1 = hn::MulAdd(Lanes::load(d, values.data() + at + step), zero, check1);
  }
  HWY_ALIGN std::byte tail[2 * hn::MaxLanes(d) * Lanes::kBytes] = {};
  if (at < values.size()) std::memcpy(tail, values.data() + at, values.size() - at);
  check0 = hn::MulAdd(Lanes::load(d, tail), zero, check0);
  check1 = hn::MulAdd(Lanes::load(d, tail + step), zero, check1);
  return hn::AllTrue(d, hn::Eq(hn::Add(check0, check1), zero));
}

bool all_finite(DType type, Bytes values) {
  switch (type) {
    case DType::float64:
      return finite<Float64Lanes>(values);
    case DType::float16:
      return finite<Float16Lanes>(values);
    case DType::bfloat16:
      return finite<BFloat16Lanes>(values);
    case DType::float32:
      break;
  }
  return finite<Float32Lanes>(values);
}

double sum_of_squares(const float* values, std::size_t count) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> d32;
  const std::size_t step = hn::Lanes(d);
  auto sum0 = hn::Zero(d);
  auto sum1 = hn::Zero(d);
  std::size_t i = 0;
  for (; i + 2 * step <= count; i += 2 * step) {
    hwy::Prefetch(values + i + kPrefetchFloats);
    const auto value0 = hn::PromoteTo(d, hn::LoadU(d32, values + i));
    const auto value1 = hn::PromoteTo(d, hn::LoadU(d32, values + i + step));
    sum0 = hn::MulAdd(value0, value0, sum0);
    sum1 = hn::MulAdd(value1, value1, sum1);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

/// Moments of every lane.
struct LaneMoments {
  using D = hn::ScalableTag<double>;
  using D32 = hn::Rebind<float, D>;
  hn::Vec<D> sum;
  hn::Vec<D> squares;
  hn::Vec<D32> largest;

  HWY_INLINE void add(const float* from, hn::Vec<D> centre) {
    const auto value = hn::LoadU(D32(), from);
    const auto centred = hn::Sub(hn::PromoteTo(D(), value), centre);
    sum = hn::Add(sum, centred);
    squares = hn::MulAdd(centred, centred, squares);
    largest = hn::Max(largest, hn::Abs(value));
  }
};

Moments moments(const float* values, std::size_t count, float shift) {
  const LaneMoments::D d;
  const LaneMoments::D32 d32;
  const std::size_t step = hn::Lanes(d);
  const auto centre = hn::Set(d, static_cast<double>(shift));
  // Sums wait for their last addition: two take turns.
  LaneMoments even{hn::Zero(d), hn::Zero(d), hn::Zero(d32)};
  LaneMoments odd = even;
  std::size_t i = 0;
  for (; i + 2 * step <= count; i += 2 * step) {
    hwy::Prefetch(values + i + kPrefetchFloats);
    even.add(values + i, centre);
    odd.add(values + i + step, centre);
  }
  Moments result{hn::GetLane(hn::SumOfLanes(d, hn::Add(even.sum, odd.sum))),
                 hn::GetLane(hn::SumOfLanes(d, hn::Add(even.squares, odd.squares))),
                 hn::GetLane(hn::MaxOfLanes(d32, hn::Max(even.largest, odd.largest)))};
  for (; i < count; ++i) {
    const double centred = static_cast<double>(values[i]) - static_cast<double>(shift);
    result.sum += centred;
    result.sum_of_squares += centred * centred;
    result.max_abs = std::max(result.max_abs, std::abs(values[i]));
  }
  return result;
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::kernels {

HWY_EXPORT(add_scaled);
HWY_EXPORT(rescale);
HWY_EXPORT(all_finite);
HWY_EXPORT(sum_of_squares);
HWY_EXPORT(moments);

void add(std::span<float> out, std::span<const float> in) noexcept {
  HWY_DYNAMIC_DISPATCH(add_scaled)(DType::float32, std::as_writable_bytes(out), std::as_bytes(in), 1.0);
}

void add_scaled(DType type, MutableBytes out, Bytes in, double scale) noexcept {
  HWY_DYNAMIC_DISPATCH(add_scaled)(type, out, in, scale);
}

bool rescale(DType type, MutableBytes values, double scale) noexcept {
  return HWY_DYNAMIC_DISPATCH(rescale)(type, values, scale);
}

bool all_finite(DType type, Bytes values) noexcept {
  return HWY_DYNAMIC_DISPATCH(all_finite)(type, values);
}

double sum_of_squares(std::span<const float> values) noexcept {
  return HWY_DYNAMIC_DISPATCH(sum_of_squares)(values.data(), values.size());
}

Moments moments(std::span<const float> values, float shift) noexcept {
  return HWY_DYNAMIC_DISPATCH(moments)(values.data(), values.size(), shift);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
