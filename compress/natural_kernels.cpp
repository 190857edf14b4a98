#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/natural_kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <bit>
#include <cstring>

#include "compress/natural.hpp"
#include "compress/rounding-inl.hpp"
#include "compress/sign_kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::natural::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using U32 = hn::RebindToUnsigned<F32>;
using I32 = hn::RebindToSigned<F32>;
using U8 = hn::Rebind<std::uint8_t, F32>;

using kernels::HWY_NAMESPACE::for_each_rounding;
using kernels::HWY_NAMESPACE::mask_bits;
using kernels::HWY_NAMESPACE::RoundingPiece;

/// Values per word of sign bits.
constexpr std::size_t kWord = kernels::HWY_NAMESPACE::kRoundingWord;

/// Of 64 values: which are negative, and for which the upper bits leave the rounding to the lower ones.
struct Marks {
  std::uint64_t negative = 0;
  std::uint64_t undecided = 0;
};

/// Without base: fields. With: codes.
template <bool kCodes>
HWY_INLINE Marks encode_word(const float* in, const std::uint8_t* upper, std::uint32_t base, std::uint8_t* out) {
  const U32 d;
  const U8 d8;
  constexpr std::size_t kStep = hn::MaxLanes(U32());
  Marks marks;
  for (std::size_t i = 0; i < kWord; i += kStep) {
    const auto bits = hn::BitCast(d, hn::LoadU(F32(), in + i));
    const auto random = hn::ShiftLeft<kLowerBits>(hn::PromoteTo(d, hn::LoadU(d8, upper + i)));
    const auto sum = hn::Add(hn::And(bits, hn::Set(d, 0x7fffffff)), random);
    auto code = hn::Min(hn::ShiftRight<23>(sum), hn::Set(d, kLargestField));
    if constexpr (kCodes) {
      const auto from = hn::Set(d, base);
      code = hn::Sub(hn::Max(code, from), from);
      code = hn::Or(code, hn::And(hn::ShiftRight<24>(bits), hn::Set(d, 0x80)));
    } else {
      marks.negative |=
          mask_bits(F32(), hn::MaskFromVec(hn::BitCast(F32(), hn::BroadcastSignBit(hn::BitCast(I32(), bits))))) << i;
    }
    hn::StoreU(hn::TruncateTo(d8, code), d8, out + i);
    const auto ones = hn::Set(d, 0x7f8000);
    marks.undecided |= mask_bits(d, hn::Eq(hn::And(sum, ones), ones)) << i;
  }
  return marks;
}

HWY_INLINE void decide(const RoundingPiece& piece, std::uint64_t undecided, std::uint32_t base, bool codes,
                       std::uint8_t* out) {
  for (; undecided != 0; undecided &= undecided - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(undecided));
    const auto bits = std::bit_cast<std::uint32_t>(piece.values()[i]);
    const std::uint32_t field = field_of(bits, piece.upper[i], piece.lower(i, kLowerBits));
    out[i] = codes ? code_of(bits, field, base) : static_cast<std::uint8_t>(field);
  }
}

/// Up to 64 values; their sign bits.
template <bool kCodes>
HWY_INLINE std::uint64_t encode_piece(const RoundingPiece& piece, std::uint32_t base, std::uint8_t* out) {
  if (piece.count == kWord) {
    const Marks marks = encode_word<kCodes>(piece.values(), piece.upper, base, out);
    if (marks.undecided != 0) decide(piece, marks.undecided, base, kCodes, out);
    return marks.negative;
  }
  HWY_ALIGN float tail[kWord] = {};
  HWY_ALIGN std::uint8_t tail_out[kWord];
  std::memcpy(tail, piece.values(), piece.count * sizeof(float));
  const Marks marks = encode_word<kCodes>(tail, piece.upper, base, tail_out);
  decide(piece, marks.undecided & ((std::uint64_t{1} << piece.count) - 1), base, kCodes, tail_out);
  std::memcpy(out, tail_out, piece.count);
  return marks.negative;
}

void encode_fields(const RoundingSource& source, const Fields& out) {
  auto* fields = reinterpret_cast<std::uint8_t*>(out.fields.data());
  for_each_rounding(source, [&](const RoundingPiece& piece) HWY_ATTR {
    const std::uint64_t negative = encode_piece<false>(piece, 0, fields + piece.at);
    std::memcpy(out.signs.data() + piece.at / 8, &negative, signs::bytes_of(piece.count));
  });
}

void encode_codes(const RoundingSource& source, std::uint32_t base, std::uint8_t* codes) {
  for_each_rounding(source,
                    [&](const RoundingPiece& piece) HWY_ATTR { encode_piece<true>(piece, base, codes + piece.at); });
}

/// out += scale · float of these bits.
HWY_INLINE void add_bits(hn::Vec<U32> bits, float scale, float* out) {
  const F32 d;
  hn::StoreU(hn::MulAdd(hn::BitCast(d, bits), hn::Set(d, scale), hn::LoadU(d, out)), d, out);
}

HWY_INLINE hn::Vec<U32> add_field_word(const std::uint8_t* fields, std::uint64_t negative, float scale, float* out) {
  const U32 d;
  constexpr std::size_t kStep = hn::MaxLanes(U32());
  auto largest = hn::Zero(d);
  for (std::size_t i = 0; i < kWord; i += kStep) {
    const auto field = hn::PromoteTo(d, hn::LoadU(U8(), fields + i));
    largest = hn::Max(largest, field);
    const std::uint64_t bits = negative >> i;
    const auto minus = hn::LoadMaskBits(d, reinterpret_cast<const std::uint8_t*>(&bits));
    add_bits(hn::Or(hn::ShiftLeft<23>(field), hn::IfThenElseZero(minus, hn::Set(d, 0x80000000U))), scale, out + i);
  }
  return largest;
}

HWY_INLINE void add_code_word(const std::uint8_t* codes, std::uint32_t base, float scale, float* out) {
  const U32 d;
  constexpr std::size_t kStep = hn::MaxLanes(U32());
  for (std::size_t i = 0; i < kWord; i += kStep) {
    const auto code = hn::PromoteTo(d, hn::LoadU(U8(), codes + i));
    const auto exponent = hn::And(code, hn::Set(d, 0x7f));
    const auto field = hn::IfThenZeroElse(hn::Eq(exponent, hn::Zero(d)), hn::Add(exponent, hn::Set(d, base)));
    const auto sign = hn::ShiftLeft<24>(hn::And(code, hn::Set(d, 0x80)));
    add_bits(hn::Or(hn::ShiftLeft<23>(field), sign), scale, out + i);
  }
}

/// Calls add(first value, bytes, floats) for each 64 values, the last of them in copies.
template <class Add>
HWY_INLINE void for_each_word(const std::uint8_t* bytes, std::span<float> out, const Add& add) {
  std::size_t i = 0;
  for (; i + kWord <= out.size(); i += kWord) add(i, bytes + i, out.data() + i);
  if (i == out.size()) return;
  HWY_ALIGN float tail[kWord] = {};
  HWY_ALIGN std::uint8_t tail_bytes[kWord] = {};
  std::memcpy(tail, out.data() + i, (out.size() - i) * sizeof(float));
  std::memcpy(tail_bytes, bytes + i, out.size() - i);
  add(i, tail_bytes, tail);
  std::memcpy(out.data() + i, tail, (out.size() - i) * sizeof(float));
}

bool add_fields(const std::uint8_t* fields, Bytes signs, float scale, std::span<float> out) {
  const U32 d;
  auto largest = hn::Zero(d);
  for_each_word(fields, out, [&](std::size_t at, const std::uint8_t* from, float* to) HWY_ATTR {
    std::uint64_t negative = 0;
    std::memcpy(&negative, signs.data() + at / 8, std::min(sizeof(negative), signs.size() - at / 8));
    largest = hn::Max(largest, add_field_word(from, negative, scale, to));
  });
  return hn::AllFalse(d, hn::Gt(largest, hn::Set(d, kLargestField)));
}

void add_codes(const std::uint8_t* codes, std::uint32_t base, float scale, std::span<float> out) {
  for_each_word(codes, out, [&](std::size_t, const std::uint8_t* from, float* to) HWY_ATTR {
    add_code_word(from, base, scale, to);
  });
}

}  // namespace gossamer::natural::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::natural {

HWY_EXPORT(encode_fields);
HWY_EXPORT(add_fields);
HWY_EXPORT(encode_codes);
HWY_EXPORT(add_codes);

void encode_fields(const RoundingSource& source, const Fields& out) noexcept {
  HWY_DYNAMIC_DISPATCH(encode_fields)(source, out);
}

bool add_fields(Bytes fields, Bytes signs, float scale, std::span<float> out) noexcept {
  return HWY_DYNAMIC_DISPATCH(add_fields)(reinterpret_cast<const std::uint8_t*>(fields.data()), signs, scale, out);
}

void encode_codes(const RoundingSource& source, std::uint32_t base, MutableBytes codes) noexcept {
  HWY_DYNAMIC_DISPATCH(encode_codes)(source, base, reinterpret_cast<std::uint8_t*>(codes.data()));
}

void add_codes(Bytes codes, std::uint32_t base, float scale, std::span<float> out) noexcept {
  HWY_DYNAMIC_DISPATCH(add_codes)(reinterpret_cast<const std::uint8_t*>(codes.data()), base, scale, out);
}

namespace {

std::uint32_t plain_field(const RoundingSource& source, std::size_t i) noexcept {
  const std::uint64_t element = source.first + i;
  return field_of(std::bit_cast<std::uint32_t>(source.values[i]), upper_bits(source.own, element),
                  lower_bits(source.own, element, kLowerBits));
}

float plain_value(std::uint32_t field, bool negative) noexcept {
  return std::bit_cast<float>(field << 23 | (negative ? 0x80000000U : 0));
}

}  // namespace

void reference::encode_fields(const RoundingSource& source, const Fields& out) noexcept {
  std::fill(out.signs.begin(), out.signs.end(), std::byte{0});
  for (std::size_t i = 0; i < source.values.size(); ++i) {
    out.fields[i] = static_cast<std::byte>(plain_field(source, i));
    if (std::bit_cast<std::uint32_t>(source.values[i]) >> 31 != 0) out.signs[i / 8] |= std::byte{1} << (i % 8);
  }
}

bool reference::add_fields(Bytes fields, Bytes signs, float scale, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto field = static_cast<std::uint32_t>(fields[i]);
    if (field > kLargestField) return false;
    out[i] += scale * plain_value(field, (signs[i / 8] >> (i % 8) & std::byte{1}) != std::byte{0});
  }
  return true;
}

void reference::encode_codes(const RoundingSource& source, std::uint32_t base, MutableBytes codes) noexcept {
  for (std::size_t i = 0; i < source.values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(source.values[i]);
    codes[i] = static_cast<std::byte>(code_of(bits, plain_field(source, i), base));
  }
}

void reference::add_codes(Bytes codes, std::uint32_t base, float scale, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto code = static_cast<std::uint32_t>(codes[i]);
    const std::uint32_t field = (code & 0x7fU) == 0 ? 0 : (code & 0x7fU) + base;
    out[i] += scale * plain_value(field, code >= 0x80);
  }
}

}  // namespace gossamer::natural
#endif  // HWY_ONCE
