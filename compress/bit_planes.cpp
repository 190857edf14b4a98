#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/bit_planes.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "compress/bit_planes.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::planes::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using U8 = hn::CappedTag<std::uint8_t, 64>;
using I8 = hn::RebindToSigned<U8>;
using F32 = hn::CappedTag<float, 64>;
using I32 = hn::RebindToSigned<F32>;

/// The top bit of every byte is a plane's; doubling moves the next one up.
template <unsigned kWidth>
HWY_INLINE void pack_word(const std::uint8_t* digits, std::byte* planes) {
  const U8 d;
  const I8 di;
  std::uint64_t words[kWidth] = {};
  for (std::size_t i = 0; i < kWord; i += hn::Lanes(d)) {
    auto digit = hn::LoadU(d, digits + i);
    for (unsigned bit = kDigitWidth; bit > kWidth; --bit) digit = hn::Add(digit, digit);
    for (unsigned bit = kWidth; bit-- > 0;) {
      std::uint64_t bits = 0;
      hn::StoreMaskBits(di, hn::Lt(hn::BitCast(di, digit), hn::Zero(di)), reinterpret_cast<std::uint8_t*>(&bits));
      words[bit] |= bits << i;
      digit = hn::Add(digit, digit);
    }
  }
  for (unsigned bit = 0; bit < kWidth; ++bit)
    std::memcpy(planes + bit * sizeof(std::uint64_t), words + bit, sizeof(std::uint64_t));
}

/// Widths that are known to the compiler keep planes in registers.
template <unsigned kWidth = kDigitWidth>
void pack(const std::uint8_t* digits, std::size_t words, unsigned width, std::byte* planes) {
  if constexpr (kWidth > 1) {
    if (width < kWidth) return pack<kWidth - 1>(digits, words, width, planes);
  }
  for (std::size_t word = 0; word < words; ++word) {
    pack_word<kWidth>(digits + word * kWord, planes + word * kWidth * sizeof(std::uint64_t));
  }
}

void pack_planes(const std::uint8_t* digits, std::size_t words, unsigned width, std::byte* planes) {
  pack<>(digits, words, width, planes);
}

elias::Tally tally(std::span<const std::uint8_t> digits, std::uint8_t zero) {
  const U8 d;
  const hn::Repartition<std::uint64_t, U8> d64;
  const auto zeros = hn::Set(d, zero);
  auto nonzero = hn::Zero(d64);
  auto magnitudes = hn::Zero(d64);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= digits.size(); i += hn::Lanes(d)) {
    const auto digit = hn::LoadU(d, digits.data() + i);
    const auto apart = hn::Sub(hn::Max(digit, zeros), hn::Min(digit, zeros));
    nonzero = hn::Add(nonzero, hn::SumsOf8(hn::Min(apart, hn::Set(d, std::uint8_t{1}))));
    magnitudes = hn::Add(magnitudes, hn::SumsOf8(apart));
  }
  elias::Tally tally{hn::GetLane(hn::SumOfLanes(d64, nonzero)), hn::GetLane(hn::SumOfLanes(d64, magnitudes))};
  for (; i < digits.size(); ++i) {
    tally.nonzero += digits[i] == zero ? 0 : 1;
    tally.magnitudes += digits[i] < zero ? zero - digits[i] : digits[i] - zero;
  }
  return tally;
}

/// Bytes of 64 values from up to 8 planes, the top one first.
HWY_INLINE void gather_bytes(const std::byte* planes, unsigned width, std::uint8_t* bytes) {
  const U8 d;
  std::uint64_t words[kDigitWidth];
  std::memcpy(words, planes, width * sizeof(std::uint64_t));
  for (std::size_t i = 0; i < kWord; i += hn::Lanes(d)) {
    auto value = hn::Zero(d);
    for (unsigned bit = width; bit-- > 0;) {
      const std::uint64_t bits = words[bit] >> i;
      const auto set = hn::LoadMaskBits(d, reinterpret_cast<const std::uint8_t*>(&bits));
      value = hn::Sub(hn::Add(value, value), hn::VecFromMask(d, set));
    }
    hn::StoreU(value, d, bytes + i);
  }
}

/// One word of values that take kBytes bytes each; returns the larger of `largest` and these.
template <std::size_t kBytes>
HWY_INLINE hn::Vec<I32> unpack_word(const std::byte* planes, const Meaning& meaning, hn::Vec<I32> largest, float* out) {
  const F32 d;
  const I32 di;
  const hn::Rebind<std::uint8_t, F32> d8;
  HWY_ALIGN std::uint8_t bytes[kBytes][kWord];
  for (std::size_t k = 0; k < kBytes; ++k) {
    const unsigned width = std::min(kDigitWidth, meaning.width - static_cast<unsigned>(k) * kDigitWidth);
    gather_bytes(planes + k * kDigitWidth * sizeof(std::uint64_t), width, bytes[k]);
  }
  const auto offset = hn::Set(di, meaning.offset);
  for (std::size_t i = 0; i < kWord; i += hn::Lanes(d)) {
    auto value = hn::PromoteTo(di, hn::LoadU(d8, bytes[0] + i));
    if constexpr (kBytes > 1) value = hn::Or(value, hn::ShiftLeft<8>(hn::PromoteTo(di, hn::LoadU(d8, bytes[1] + i))));
    if constexpr (kBytes > 2) value = hn::Or(value, hn::ShiftLeft<16>(hn::PromoteTo(di, hn::LoadU(d8, bytes[2] + i))));
    largest = hn::Max(largest, value);
    if (meaning.step == 2) value = hn::Add(value, value);
    hn::StoreU(hn::ConvertTo(d, hn::Sub(value, offset)), d, out + i);
  }
  return largest;
}

template <std::size_t kBytes>
HWY_INLINE bool unpack_words(const std::byte* planes, const Meaning& meaning, std::span<float> out) {
  const I32 di;
  auto largest = hn::Zero(di);
  const std::size_t row = meaning.width * sizeof(std::uint64_t);
  for (std::size_t at = 0; at < out.size(); at += kWord, planes += row) {
    largest = unpack_word<kBytes>(planes, meaning, largest, out.data() + at);
  }
  return hn::AllFalse(di, hn::Gt(largest, hn::Set(di, meaning.largest)));
}

bool unpack(const std::byte* planes, const Meaning& meaning, std::span<float> out) {
  if (meaning.width <= kDigitWidth) return unpack_words<1>(planes, meaning, out);
  if (meaning.width <= 2 * kDigitWidth) return unpack_words<2>(planes, meaning, out);
  return unpack_words<3>(planes, meaning, out);
}

void add_multiples(std::span<const float> in, float unit, float scale, std::span<float> out) {
  const F32 d;
  const auto units = hn::Set(d, unit);
  const auto scales = hn::Set(d, scale);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= out.size(); i += hn::Lanes(d)) {
    const auto value = hn::Mul(hn::LoadU(d, in.data() + i), units);
    hn::StoreU(hn::MulAdd(value, scales, hn::LoadU(d, out.data() + i)), d, out.data() + i);
  }
  for (; i < out.size(); ++i) out[i] += in[i] * unit * scale;
}

}  // namespace gossamer::planes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::planes {

HWY_EXPORT(pack_planes);
HWY_EXPORT(tally);
HWY_EXPORT(unpack);
HWY_EXPORT(add_multiples);

void pack(std::span<const std::uint8_t> digits, unsigned width, std::byte* planes) noexcept {
  HWY_DYNAMIC_DISPATCH(pack_planes)(digits.data(), digits.size() / kWord, width, planes);
}

elias::Tally tally(std::span<const std::uint8_t> digits, std::uint8_t zero) noexcept {
  return HWY_DYNAMIC_DISPATCH(tally)(digits, zero);
}

bool unpack(const std::byte* planes, const Meaning& meaning, std::span<float> out) noexcept {
  return HWY_DYNAMIC_DISPATCH(unpack)(planes, meaning, out);
}

void add_multiples(std::span<const float> in, float unit, float scale, std::span<float> out) noexcept {
  HWY_DYNAMIC_DISPATCH(add_multiples)(in, unit, scale, out);
}

namespace {

std::uint64_t load(const std::byte* from) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

/// A ripple-carry adder over the planes of one word, `a` the wider; returns the carry that is left.
std::uint64_t add_word(Operand a, Operand b, unsigned width, std::byte* sum) noexcept {
  constexpr std::size_t kStep = sizeof(std::uint64_t);
  std::uint64_t carry = 0;
  const auto store = [&](unsigned bit, std::uint64_t word) { std::memcpy(sum + bit * kStep, &word, kStep); };
  unsigned bit = 0;
  for (; bit < b.width; ++bit) {
    const std::uint64_t x = load(a.planes + bit * kStep);
    const std::uint64_t y = load(b.planes + bit * kStep);
    store(bit, x ^ y ^ carry);
    carry = (x & y) | (carry & (x ^ y));
  }
  for (; bit < a.width; ++bit) {
    const std::uint64_t x = load(a.planes + bit * kStep);
    store(bit, x ^ carry);
    carry &= x;
  }
  for (; bit < width; ++bit, carry = 0) store(bit, carry);
  return carry;
}

}  // namespace

bool add(Operand a, Operand b, std::size_t words, unsigned width, std::byte* sum) noexcept {
  if (a.width < b.width) std::swap(a, b);
  std::uint64_t excess = 0;
  for (std::size_t word = 0; word < words; ++word) {
    excess |= add_word(a, b, width, sum);
    a.planes += a.width * sizeof(std::uint64_t);
    b.planes += b.width * sizeof(std::uint64_t);
    sum += width * sizeof(std::uint64_t);
  }
  return excess == 0;
}

}  // namespace gossamer::planes
#endif  // HWY_ONCE
