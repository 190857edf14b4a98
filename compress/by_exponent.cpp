#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/by_exponent.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "compress/by_exponent.hpp"
#include "compress/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::by_exponent::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// How far a loop over whole vectors came.
struct Progress {
  std::size_t values = 0;
  std::size_t bytes = 0;
  bool finite = true;
};

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE Progress encode_vectors(std::span<const float>, float, const Rule&, MutableBytes, std::byte*) {
  return {};
}
HWY_INLINE Progress add_vectors(const Encoded&, const Rule&, float, std::span<float>) {
  return {};
}
#else
using F32 = hn::CappedTag<float, 16>;
using U32 = hn::RebindToUnsigned<F32>;
using U8 = hn::Rebind<std::uint8_t, F32>;
using Four = hn::FixedTag<std::uint8_t, 16>;
using kernels::HWY_NAMESPACE::kPrefetchFloats;

/// Twice the place among four values: where its class lies in their tag.
HWY_INLINE hn::Vec<U32> tag_shifts() {
  const U32 d;
  return hn::ShiftLeft<1>(hn::And(hn::Iota(d, 0), hn::Set(d, 3)));
}

HWY_INLINE hn::Vec<U32> shortened(hn::Vec<U32> bits, const Short& form) {
  const U32 d;
  const auto magnitude = hn::And(bits, hn::Set(d, 0x7fffffff));
  const auto code = hn::Add(magnitude, hn::Set(d, (1U << (form.shift() - 1)) - form.lowest));
  const auto sign = hn::ShiftLeft<3>(hn::ShiftRight<31>(bits));
  return hn::Or(hn::ShiftRightSame(code, static_cast<int>(form.shift())),
                hn::ShiftLeftSame(sign, static_cast<int>(form.mantissa_bits)));
}

HWY_INLINE hn::Vec<F32> lengthened(hn::Vec<U32> code, const Short& form) {
  const U32 d;
  const auto magnitude = hn::And(code, hn::Set(d, (8U << form.mantissa_bits) - 1));
  const auto bits = hn::Add(hn::ShiftLeftSame(magnitude, static_cast<int>(form.shift())), hn::Set(d, form.lowest));
  const auto sign =
      hn::ShiftLeft<31>(hn::ShiftRight<3>(hn::ShiftRightSame(code, static_cast<int>(form.mantissa_bits))));
  return hn::BitCast(F32(), hn::Or(bits, sign));
}

HWY_INLINE hn::Vec<U32> one_from(hn::Vec<F32> size, float bound) {
  const U32 d;
  return hn::IfThenElseZero(hn::RebindMask(d, hn::Ge(size, hn::Set(F32(), bound))), hn::Set(d, 1));
}

/// Codes of one vector, and the tag of each four in the lanes of the four.
struct Coded {
  HWY_ALIGN std::uint32_t codes[hn::MaxLanes(F32())];
  HWY_ALIGN std::uint32_t tags[hn::MaxLanes(F32())];
};

HWY_INLINE void code_vector(const float* from, float inverse, const Rule& rule, Coded& out) {
  const F32 d;
  const U32 du;
  const auto value = hn::LoadU(d, from);
  const auto scaled = hn::Mul(value, hn::Set(d, inverse));
  const auto bits = hn::BitCast(du, scaled);
  const auto size = hn::Abs(scaled);
  const auto kind = hn::Add(hn::Add(one_from(size, rule.least), one_from(size, rule.longer)), one_from(size, 1.0F));
  const auto longest = hn::Eq(kind, hn::Set(du, 3));
  auto code = hn::IfThenElse(hn::Eq(kind, hn::Set(du, 1)), shortened(bits, rule.byte), shortened(bits, rule.word));
  code = hn::IfThenElse(longest, hn::BitCast(du, value), code);
  auto tag = hn::Shl(kind, tag_shifts());
  tag = hn::Or(tag, hn::Shuffle2301(tag));
  tag = hn::Or(tag, hn::Shuffle1032(tag));
  hn::Store(code, du, out.codes);
  hn::Store(tag, du, out.tags);
}

/// Four codes at a time move next to each other by a table of what their tag means.
HWY_INLINE Progress encode_vectors(std::span<const float> values, float inverse, const Rule& rule, MutableBytes tags,
                                   std::byte* out) {
  const Four d4;
  const std::size_t step = hn::Lanes(F32());
  Progress done;
  for (; done.values + step <= values.size(); done.values += step) {
    hwy::Prefetch(values.data() + done.values + kPrefetchFloats);
    Coded coded;
    code_vector(values.data() + done.values, inverse, rule, coded);
    for (std::size_t i = 0; i < step; i += 4) {
      const std::uint32_t tag = coded.tags[i];
      const auto four = hn::Load(d4, reinterpret_cast<const std::uint8_t*>(coded.codes + i));
      const auto packed = hn::TableLookupBytes(four, hn::LoadU(d4, kPlaces.pack[tag].data()));
      hn::StoreU(packed, d4, reinterpret_cast<std::uint8_t*>(out + done.bytes));
      done.bytes += kPlaces.length[tag];
      tags[(done.values + i) / 4] = static_cast<std::byte>(tag);
    }
  }
  return done;
}

/// What the codes of one vector stand for. False for a lane of `finite` that is not.
HWY_INLINE hn::Vec<F32> decode_vector(const std::byte* tags, const std::uint32_t* codes, const Rule& rule, float unit,
                                      hn::Vec<F32>& check) {
  const F32 d;
  const U32 du;
  std::uint32_t kinds = 0;
  std::memcpy(&kinds, tags, hn::Lanes(d) / 4);
  const auto kind = hn::And(hn::Shr(hn::Set(du, kinds), hn::ShiftLeft<1>(hn::Iota(du, 0))), hn::Set(du, 3));
  const auto is = [&](Class wanted) HWY_ATTR {
    return hn::RebindMask(d, hn::Eq(kind, hn::Set(du, static_cast<std::uint32_t>(wanted))));
  };
  const auto code = hn::Load(du, codes);
  const auto exact = hn::IfThenElseZero(is(Class::exact), hn::BitCast(d, code));
  check = hn::MulAdd(exact, hn::Zero(d), check);
  const auto word = hn::IfThenElseZero(is(Class::word), lengthened(code, rule.word));
  const auto shorter = hn::IfThenElse(is(Class::byte), lengthened(code, rule.byte), word);
  return hn::Or(hn::Mul(shorter, hn::Set(d, unit)), exact);
}

/// Whole blocks, as long as four bytes of each value can be read.
HWY_INLINE Progress add_vectors(const Encoded& in, const Rule& rule, float scale, std::span<float> out) {
  constexpr std::size_t kBlock = 64;  // a vector that is loaded has left the store buffer
  const F32 d;
  const Four d4;
  auto check = hn::Zero(d);
  Progress done;
  for (; done.values + kBlock <= out.size() && done.bytes + 4 * kBlock <= in.values.size(); done.values += kBlock) {
    HWY_ALIGN std::uint32_t codes[kBlock];
    const std::byte* tags = in.tags.data() + done.values / 4;
    for (std::size_t i = 0; i < kBlock; i += 4) {
      const auto tag = static_cast<std::size_t>(tags[i / 4]);
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(in.values.data() + done.bytes);
      const auto four = hn::TableLookupBytesOr0(hn::LoadU(d4, bytes), hn::LoadU(d4, kPlaces.unpack[tag].data()));
      hn::Store(four, d4, reinterpret_cast<std::uint8_t*>(codes + i));
      done.bytes += kPlaces.length[tag];
    }
    for (std::size_t i = 0; i < kBlock; i += hn::Lanes(d)) {
      const auto value = decode_vector(tags + i / 4, codes + i, rule, in.unit, check);
      float* to = out.data() + done.values + i;
      hn::StoreU(hn::MulAdd(value, hn::Set(d, scale), hn::LoadU(d, to)), d, to);
    }
  }
  done.finite = hn::AllTrue(d, hn::Eq(check, hn::Zero(d)));
  return done;
}
#endif

std::size_t encode(std::span<const float> values, float unit, const Rule& rule, MutableBytes tags, std::byte* out) {
  const Progress done = encode_vectors(values, 1.0F / unit, rule, tags, out);
  return done.bytes +
         reference::encode(values.subspan(done.values), unit, rule, tags.subspan(done.values / 4), out + done.bytes);
}

bool add(const Encoded& in, const Rule& rule, float scale, std::span<float> out) {
  const Progress done = add_vectors(in, rule, scale, out);
  const Encoded rest{in.tags.subspan(done.values / 4), in.values.subspan(done.bytes), in.unit};
  return reference::add(rest, rule, scale, out.subspan(done.values)) && done.finite;
}

}  // namespace gossamer::by_exponent::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::by_exponent {

HWY_EXPORT(encode);
HWY_EXPORT(add);

std::size_t encode(std::span<const float> values, float unit, const Rule& rule, MutableBytes tags,
                   std::byte* out) noexcept {
  return HWY_DYNAMIC_DISPATCH(encode)(values, unit, rule, tags, out);
}

bool add(const Encoded& in, const Rule& rule, float scale, std::span<float> out) noexcept {
  return HWY_DYNAMIC_DISPATCH(add)(in, rule, scale, out);
}

std::size_t value_bytes(Bytes tags, std::size_t count) noexcept {
  std::size_t bytes = 0;
  for (const std::byte tag : tags.first(count / 4)) bytes += kPlaces.length[static_cast<std::size_t>(tag)];
  if (count % 4 != 0) {
    const unsigned last = static_cast<unsigned>(tags[count / 4]) & ((1U << (count % 4 * 2)) - 1);
    bytes += kPlaces.length[last];
  }
  return bytes;
}

std::size_t reference::encode(std::span<const float> values, float unit, const Rule& rule, MutableBytes tags,
                              std::byte* out) noexcept {
  const float inverse = 1.0F / unit;
  std::fill(tags.begin(), tags.end(), std::byte{0});
  std::size_t used = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = values[i] * inverse;
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const Class kind = rule.class_of(value);
    tags[i / 4] |= static_cast<std::byte>(static_cast<unsigned>(kind) << (i % 4 * 2));
    std::uint32_t code = kind == Class::byte ? rule.byte.encode(bits) : rule.word.encode(bits);
    if (kind == Class::exact) code = std::bit_cast<std::uint32_t>(values[i]);
    // What the class does not use is overwritten by the next value; there is room for four bytes of each.
    std::memcpy(out + used, &code, sizeof(code));
    used += kBytesOf[static_cast<std::size_t>(kind)];
  }
  return used;
}

bool reference::add(const Encoded& in, const Rule& rule, float scale, std::span<float> out) noexcept {
  bool finite = true;
  std::size_t used = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto kind = static_cast<Class>(static_cast<unsigned>(in.tags[i / 4]) >> (i % 4 * 2) & 3);
    std::uint32_t code = 0;
    std::memcpy(&code, in.values.data() + used, kBytesOf[static_cast<std::size_t>(kind)]);
    used += kBytesOf[static_cast<std::size_t>(kind)];
    float value = 0.0F;
    if (kind == Class::byte) value = std::bit_cast<float>(rule.byte.decode(code)) * in.unit;
    if (kind == Class::word) value = std::bit_cast<float>(rule.word.decode(code)) * in.unit;
    if (kind == Class::exact) value = std::bit_cast<float>(code);
    finite = finite && (kind != Class::exact || std::isfinite(value));
    out[i] += scale * value;
  }
  return finite;
}

}  // namespace gossamer::by_exponent
#endif  // HWY_ONCE
