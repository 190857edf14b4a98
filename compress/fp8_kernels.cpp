#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/fp8_kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compress/fp8.hpp"
#include "compress/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::fp8::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using kernels::HWY_NAMESPACE::kPrefetchFloats;
using F32 = hn::ScalableTag<float>;
using I32 = hn::Rebind<std::int32_t, F32>;
using U32 = hn::Rebind<std::uint32_t, F32>;
using U8 = hn::Rebind<std::uint8_t, F32>;
using Floats = hn::Vec<F32>;
using Integers = hn::Vec<I32>;

/// A format by where its fields lie in a float.
template <int kMantissaBits, int kBias>
struct Layout {
  static constexpr int kShift = 23 - kMantissaBits;
  static constexpr std::int32_t kRebias = (127 - kBias) << kMantissaBits;        ///< of exponents, in units of the code
  static constexpr std::int32_t kLeastNormal = (128 - kBias) << 23;              ///< bits of the float
  static constexpr std::int32_t kCounter = (151 - kBias - kMantissaBits) << 23;  ///< its last bit is the least value
  static constexpr std::int32_t kNormalCodes = 1 << kMantissaBits;               ///< where they begin
};

template <class L>
HWY_INLINE Integers magnitude_codes(Integers bits) {
  const I32 d;
  const F32 df;
  const auto odd = hn::And(hn::ShiftRight<L::kShift>(bits), hn::Set(d, 1));
  const auto half = hn::Add(odd, hn::Set(d, (1 << (L::kShift - 1)) - 1));
  const auto normal = hn::Sub(hn::ShiftRight<L::kShift>(hn::Add(bits, half)), hn::Set(d, L::kRebias));
  // Added to a float whose last bit is the least value of the format, a subnormal is rounded by the adder.
  const auto counter = hn::Set(d, L::kCounter);
  const auto counted = hn::BitCast(d, hn::Add(hn::BitCast(df, bits), hn::BitCast(df, counter)));
  const auto subnormal = hn::Lt(bits, hn::Set(d, L::kLeastNormal));
  return hn::IfThenElse(subnormal, hn::Sub(counted, counter), normal);
}

/// 2^−exponent as two factors, since it may exceed a float.
struct Unscaling {
  Floats first;
  Floats second;
  Integers limit;
};

template <class L>
HWY_INLINE hn::Vec<U8> codes_of(const float* from, const Unscaling& unscaling) {
  const I32 d;
  const F32 df;
  const auto value = hn::LoadU(df, from);
  const auto scaled = hn::Mul(hn::Mul(hn::Abs(value), unscaling.first), unscaling.second);
  // As integers, so that even NaN stays below the limit.
  const auto codes = magnitude_codes<L>(hn::Min(hn::BitCast(d, scaled), unscaling.limit));
  const auto sign = hn::And(hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(d, value))), hn::Set(d, 0x80));
  return hn::TruncateTo(U8(), hn::BitCast(U32(), hn::Or(codes, sign)));
}

template <class L>
HWY_INLINE void encode_as(std::span<const float> in, const Scaling& scaling, std::uint8_t* out) {
  const U8 d8;
  const F32 d;
  const std::size_t step = hn::Lanes(d);
  const int half = scaling.exponent / 2;
  const Unscaling unscaling{hn::Set(d, std::ldexp(1.0F, -half)), hn::Set(d, std::ldexp(1.0F, half - scaling.exponent)),
                            hn::Set(I32(), std::bit_cast<std::int32_t>(scaling.limit()))};
  std::size_t i = 0;
  for (; i + step <= in.size(); i += step) {
    hwy::Prefetch(in.data() + i + kPrefetchFloats);
    hn::StoreU(codes_of<L>(in.data() + i, unscaling), d8, out + i);
  }
  if (i == in.size()) return;
  HWY_ALIGN float tail[hn::MaxLanes(d)] = {};
  HWY_ALIGN std::uint8_t tail_codes[hn::MaxLanes(d)];
  std::memcpy(tail, in.data() + i, (in.size() - i) * sizeof(float));
  hn::StoreU(codes_of<L>(tail, unscaling), d8, tail_codes);
  std::memcpy(out + i, tail_codes, in.size() - i);
}

template <class L>
HWY_INLINE Floats values_of(Integers codes) {
  const I32 d;
  const F32 df;
  const auto magnitude = hn::And(codes, hn::Set(d, 0x7f));
  const auto field = hn::ShiftLeft<L::kShift>(magnitude);
  const auto normal = hn::BitCast(df, hn::Add(field, hn::Set(d, L::kRebias << L::kShift)));
  // As the mantissa of the least normal value, from which that value is then taken.
  const auto least = hn::Set(d, L::kLeastNormal);
  const auto subnormal = hn::Sub(hn::BitCast(df, hn::Or(field, least)), hn::BitCast(df, least));
  const auto is_normal = hn::RebindMask(df, hn::Gt(magnitude, hn::Set(d, L::kNormalCodes - 1)));
  const auto sign = hn::ShiftLeft<24>(hn::And(codes, hn::Set(d, 0x80)));
  return hn::Or(hn::IfThenElse(is_normal, normal, subnormal), hn::BitCast(df, sign));
}

template <class L>
HWY_INLINE bool add_as(const std::uint8_t* in, const Scaling& scaling, float scale, std::span<float> out) {
  const U8 d8;
  const I32 di;
  const F32 d;
  const std::size_t step = hn::Lanes(d);
  const auto unit = hn::Set(d, std::ldexp(1.0F, scaling.exponent));
  const auto factor = hn::Set(d, scale);
  auto largest = hn::Zero(di);
  for (std::size_t i = 0; i < out.size(); i += step) {
    const std::size_t count = std::min(step, out.size() - i);
    HWY_ALIGN float tail[hn::MaxLanes(d)] = {};
    HWY_ALIGN std::uint8_t tail_codes[hn::MaxLanes(d)] = {};
    const std::uint8_t* codes = in + i;
    float* to = out.data() + i;
    if (HWY_UNLIKELY(count < step)) {
      std::memcpy(tail, to, count * sizeof(float));
      std::memcpy(tail_codes, codes, count);
      codes = tail_codes;
      to = tail;
    }
    const auto code = hn::PromoteTo(di, hn::LoadU(d8, codes));
    largest = hn::Max(largest, hn::And(code, hn::Set(di, 0x7f)));
    hn::StoreU(hn::MulAdd(hn::Mul(values_of<L>(code), unit), factor, hn::LoadU(d, to)), d, to);
    if (HWY_UNLIKELY(count < step)) std::memcpy(out.data() + i, tail, count * sizeof(float));
  }
  return hn::AllFalse(di, hn::Gt(largest, hn::Set(di, scaling.format.largest)));
}

void encode(std::span<const float> values, const Scaling& scaling, std::uint8_t* codes) {
  if (scaling.format.mantissa_bits == kE4M3.mantissa_bits) {
    encode_as<Layout<kE4M3.mantissa_bits, kE4M3.bias>>(values, scaling, codes);
  } else {
    encode_as<Layout<kE5M2.mantissa_bits, kE5M2.bias>>(values, scaling, codes);
  }
}

bool add(const std::uint8_t* codes, const Scaling& scaling, float scale, std::span<float> out) {
  return scaling.format.mantissa_bits == kE4M3.mantissa_bits
             ? add_as<Layout<kE4M3.mantissa_bits, kE4M3.bias>>(codes, scaling, scale, out)
             : add_as<Layout<kE5M2.mantissa_bits, kE5M2.bias>>(codes, scaling, scale, out);
}

}  // namespace gossamer::fp8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::fp8 {

HWY_EXPORT(encode);
HWY_EXPORT(add);

float Scaling::limit() const noexcept {
  const double within_float = std::ldexp(2.0 - std::ldexp(1.0, -format.mantissa_bits), kLargestExponent - exponent);
  return static_cast<float>(std::min(static_cast<double>(format.max), within_float));
}

void encode(std::span<const float> values, const Scaling& scaling, MutableBytes codes) noexcept {
  HWY_DYNAMIC_DISPATCH(encode)(values, scaling, reinterpret_cast<std::uint8_t*>(codes.data()));
}

bool add(Bytes codes, const Scaling& scaling, float scale, std::span<float> out) noexcept {
  return HWY_DYNAMIC_DISPATCH(add)(reinterpret_cast<const std::uint8_t*>(codes.data()), scaling, scale, out);
}

void reference::encode(std::span<const float> values, const Scaling& scaling, MutableBytes codes) noexcept {
  const Format& format = scaling.format;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double scaled = std::ldexp(std::abs(static_cast<double>(values[i])), -scaling.exponent);
    const double value = std::min(scaled, static_cast<double>(scaling.limit()));
    const int exponent = value > 0.0 ? std::max(std::ilogb(value), 1 - format.bias) : 1 - format.bias;
    const double steps = std::nearbyint(std::ldexp(value, format.mantissa_bits - exponent));
    const int code = ((exponent + format.bias - 1) << format.mantissa_bits) + static_cast<int>(steps);
    codes[i] = static_cast<std::byte>(code | (std::signbit(values[i]) ? 0x80 : 0));
  }
}

bool reference::add(Bytes codes, const Scaling& scaling, float scale, std::span<float> out) noexcept {
  const Format& format = scaling.format;
  const unsigned ones = (1U << format.mantissa_bits) - 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto magnitude = static_cast<unsigned>(codes[i]) & 0x7fU;
    if (magnitude > format.largest) return false;
    const unsigned field = magnitude >> format.mantissa_bits;
    const unsigned mantissa = (magnitude & ones) + (field != 0 ? ones + 1 : 0);
    const int exponent = static_cast<int>(std::max(field, 1U)) - format.bias - format.mantissa_bits + scaling.exponent;
    const auto value = static_cast<float>(std::ldexp(static_cast<double>(mantissa), exponent));
    out[i] += scale * ((codes[i] & std::byte{0x80}) != std::byte{0} ? -value : value);
  }
  return true;
}

}  // namespace gossamer::fp8
#endif  // HWY_ONCE
