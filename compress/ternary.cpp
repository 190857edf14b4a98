#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/ternary.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include "compress/ternary.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::ternary::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using U8 = hn::CappedTag<std::uint8_t, 64>;
using U16 = hn::CappedTag<std::uint16_t, 32>;
using HalfU8 = hn::Rebind<std::uint8_t, U16>;

void pack(const std::uint8_t* digits, std::size_t bytes, std::uint8_t* out) {
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

/// Floor of value / 3 for values below 256.
HWY_INLINE hn::Vec<U16> third(hn::Vec<U16> value) {
  return hn::ShiftRight<9>(hn::Mul(value, hn::Set(U16(), 171)));
}

bool unpack(const std::uint8_t* in, std::size_t bytes, std::uint8_t* digits) {
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

}  // namespace gossamer::ternary::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::ternary {

HWY_EXPORT(pack);
HWY_EXPORT(unpack);

void pack(const std::uint8_t* digits, MutableBytes out) noexcept {
  HWY_DYNAMIC_DISPATCH(pack)(digits, out.size(), reinterpret_cast<std::uint8_t*>(out.data()));
}

bool unpack(Bytes trits, std::uint8_t* digits) noexcept {
  return HWY_DYNAMIC_DISPATCH(unpack)(reinterpret_cast<const std::uint8_t*>(trits.data()), trits.size(), digits);
}

}  // namespace gossamer::ternary
#endif  // HWY_ONCE
