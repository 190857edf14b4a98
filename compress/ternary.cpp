#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/ternary.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "compress/ternary.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::ternary::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::CappedTag<float, 64>;
using I32 = hn::RebindToSigned<F32>;
using U8 = hn::CappedTag<std::uint8_t, 64>;
using U16 = hn::CappedTag<std::uint16_t, 32>;
using HalfU8 = hn::Rebind<std::uint8_t, U16>;

/// Room behind a group for the last vector of a partial one.
constexpr std::size_t kPadding = 64;

HWY_INLINE void digits_of(const float* in, const Rule& rule, const std::uint32_t* words, std::uint8_t* digits) {
  const F32 d;
  const I32 di;
  const hn::Rebind<std::uint8_t, F32> d8;
  const auto word = hn::BitCast(di, hn::LoadU(hn::RebindToUnsigned<F32>(), words));
  const auto integer = hn::And(hn::ShiftRight<8>(word), hn::Set(di, 0xffffff));
  const auto unit = hn::Mul(hn::ConvertTo(d, integer), hn::Set(d, 0x1p-24F));
  const auto value = hn::LoadU(d, in);
  const auto magnitude = hn::Min(hn::Abs(value), hn::Set(d, rule.bound));
  const auto fires = hn::Lt(hn::Mul(unit, hn::Set(d, rule.scale)), magnitude);
  const auto sign = hn::CopySign(hn::Set(d, 1.0F), value);
  const auto code = hn::ConvertTo(di, hn::IfThenElseZero(fires, sign));
  hn::StoreU(hn::DemoteTo(d8, hn::Add(code, hn::Set(di, 1))), d8, digits);
}

HWY_INLINE void pack(const std::uint8_t* digits, std::size_t bytes, std::uint8_t* out) {
  const U8 d;
  std::size_t j = 0;
  for (; j + hn::Lanes(d) <= bytes; j += hn::Lanes(d)) {
    auto packed = hn::LoadU(d, digits + 4 * bytes + j);
    for (std::size_t k = 4; k-- > 0;) {
      packed = hn::Add(hn::Add(packed, hn::Add(packed, packed)), hn::LoadU(d, digits + k * bytes + j));
    }
    hn::StoreU(packed, d, out + j);
  }
  for (; j < bytes; ++j) {
    unsigned packed = 0;
    for (std::size_t k = 5; k-- > 0;) packed = 3 * packed + digits[k * bytes + j];
    out[j] = static_cast<std::uint8_t>(packed);
  }
}

void encode_trits(const float* in, std::size_t count, const Rule& rule, const std::uint32_t* words, std::uint8_t* out) {
  const std::size_t step = hn::Lanes(F32());
  HWY_ALIGN std::uint8_t digits[kGroup + kPadding];
  std::size_t i = 0;
  for (; i + step <= count; i += step) digits_of(in + i, rule, words + i, digits + i);
  if (i < kGroup) {
    // Zeros have code 0, whatever their randomness.
    HWY_ALIGN float tail[hn::MaxLanes(F32())] = {};
    HWY_ALIGN std::uint32_t tail_words[hn::MaxLanes(F32())] = {};
    std::memcpy(tail, in + i, (count - i) * sizeof(float));
    std::memcpy(tail_words, words + i, (count - i) * sizeof(std::uint32_t));
    digits_of(tail, rule, tail_words, digits + i);
    std::fill(digits + count, digits + kGroup, std::uint8_t{1});
  }
  pack(digits, trit_bytes(count), out);
}

/// Floor of value / 3 for values below 256.
HWY_INLINE hn::Vec<U16> third(hn::Vec<U16> value) {
  return hn::ShiftRight<9>(hn::Mul(value, hn::Set(U16(), 171)));
}

HWY_INLINE bool unpack(const std::uint8_t* in, std::size_t bytes, std::uint8_t* digits) {
  const U16 d;
  const HalfU8 d8;
  auto excess = hn::Zero(d);
  std::size_t j = 0;
  for (; j + hn::Lanes(d) <= bytes; j += hn::Lanes(d)) {
    auto rest = hn::PromoteTo(d, hn::LoadU(d8, in + j));
    for (std::size_t k = 0; k < 5; ++k) {
      const auto quotient = third(rest);
      const auto digit = hn::Sub(rest, hn::Add(quotient, hn::Add(quotient, quotient)));
      hn::StoreU(hn::TruncateTo(d8, digit), d8, digits + k * bytes + j);
      rest = quotient;
    }
    excess = hn::Or(excess, rest);
  }
  unsigned tail_excess = 0;
  for (; j < bytes; ++j) {
    unsigned rest = in[j];
    for (std::size_t k = 0; k < 5; ++k, rest /= 3) digits[k * bytes + j] = static_cast<std::uint8_t>(rest % 3);
    tail_excess |= rest;
  }
  return tail_excess == 0 && hn::AllTrue(d, hn::Eq(excess, hn::Zero(d)));
}

HWY_INLINE std::uint64_t plane_of(const std::uint8_t* digits, std::uint8_t digit) {
  const U8 d;
  std::uint64_t plane = 0;
  for (std::size_t i = 0; i < kPlane; i += hn::Lanes(d)) {
    const auto equal = hn::Eq(hn::LoadU(d, digits + i), hn::Set(d, digit));
    std::uint64_t bits = 0;
    hn::StoreMaskBits(d, equal, reinterpret_cast<std::uint8_t*>(&bits));
    plane |= bits << i;
  }
  return plane;
}

bool trits_to_planes(const std::uint8_t* in, std::size_t bytes, std::uint64_t* planes) {
  HWY_ALIGN std::uint8_t digits[kGroup + kPadding];
  std::fill(digits + 5 * bytes, digits + kGroup, std::uint8_t{1});
  const bool valid = unpack(in, bytes, digits);
  for (std::size_t word = 0; word < kWords; ++word) {
    planes[2 * word] = plane_of(digits + word * kPlane, 1);
    planes[2 * word + 1] = plane_of(digits + word * kPlane, 2);
  }
  return valid;
}

HWY_INLINE hn::Vec<I32> integers(const std::uint64_t* planes, unsigned width, std::size_t first) {
  const I32 di;
  auto value = hn::Zero(di);
  for (unsigned bit = 0; bit < width; ++bit) {
    const std::uint64_t bits = planes[bit] >> first;
    const auto set = hn::LoadMaskBits(di, reinterpret_cast<const std::uint8_t*>(&bits));
    value = hn::Or(value, hn::IfThenElseZero(set, hn::Set(di, std::int32_t{1} << bit)));
  }
  return value;
}

bool add_planes(const std::uint64_t* planes, const PlaneCode& code, float scale, std::span<float> out) {
  const F32 d;
  const I32 di;
  const std::size_t step = hn::Lanes(d);
  const auto zero = hn::Set(di, static_cast<std::int32_t>(code.contributions));
  auto largest = hn::Zero(di);
  for (std::size_t i = 0; i < out.size(); i += step) {
    const auto value = integers(planes + i / kPlane * code.width, code.width, i % kPlane);
    largest = hn::Max(largest, value);
    const auto real = hn::Mul(hn::ConvertTo(d, hn::Sub(value, zero)), hn::Set(d, code.unit));
    const std::size_t count = std::min(step, out.size() - i);
    if (count == step) {
      hn::StoreU(hn::MulAdd(real, hn::Set(d, scale), hn::LoadU(d, out.data() + i)), d, out.data() + i);
      continue;
    }
    HWY_ALIGN float tail[hn::MaxLanes(d)] = {};
    std::memcpy(tail, out.data() + i, count * sizeof(float));
    hn::Store(hn::MulAdd(real, hn::Set(d, scale), hn::Load(d, tail)), d, tail);
    std::memcpy(out.data() + i, tail, count * sizeof(float));
  }
  return hn::AllFalse(di, hn::Gt(largest, hn::Add(zero, zero)));
}

}  // namespace gossamer::ternary::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::ternary {

HWY_EXPORT(encode_trits);
HWY_EXPORT(trits_to_planes);
HWY_EXPORT(add_planes);

void encode_trits(std::span<const float> in, const Rule& rule, const std::uint32_t* words, MutableBytes out) noexcept {
  auto* bytes = reinterpret_cast<std::uint8_t*>(out.data());
  HWY_DYNAMIC_DISPATCH(encode_trits)(in.data(), in.size(), rule, words, bytes);
}

bool trits_to_planes(Bytes trits, std::uint64_t* planes) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(trits.data());
  return HWY_DYNAMIC_DISPATCH(trits_to_planes)(bytes, trits.size(), planes);
}

bool add_planes(const std::uint64_t* planes, const PlaneCode& code, float scale, std::span<float> out) noexcept {
  return HWY_DYNAMIC_DISPATCH(add_planes)(planes, code, scale, out);
}

}  // namespace gossamer::ternary
#endif  // HWY_ONCE
