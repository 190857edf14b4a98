#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/kernels_int8.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "compress/int8_scale.hpp"
#include "compress/kernels.hpp"
#include "compress/lanes-inl.hpp"
#include "compress/levels-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

using I8 = hn::Rebind<std::int8_t, F32>;

HWY_INLINE hn::Vec<I32> magnitude_bits(const float* from) {
  const F32 d;
  const I32 di;
  return hn::And(hn::BitCast(di, hn::LoadU(d, from)), hn::Set(di, 0x7fffffff));
}

/// Without the sign, bit patterns order as the values do, with infinity and NaN on top: one integer maximum finds the
/// scale and anything that is not finite.
HWY_INLINE float largest(const float* values, std::size_t count) {
  const I32 di;
  const std::size_t step = hn::Lanes(di);
  auto max0 = hn::Zero(di);
  auto max1 = max0;
  std::size_t i = 0;
  for (; i + 2 * step <= count; i += 2 * step) {
    hwy::Prefetch(values + i + kPrefetchFloats);
    hwy::Prefetch(values + i + kPrefetchFloats + step);
    max0 = hn::Max(max0, magnitude_bits(values + i));
    max1 = hn::Max(max1, magnitude_bits(values + i + step));
  }
  for (; i + step <= count; i += step) max0 = hn::Max(max0, magnitude_bits(values + i));
  std::int32_t bits = hn::GetLane(hn::MaxOfLanes(di, hn::Max(max0, max1)));
  for (; i < count; ++i) bits = std::max(bits, std::bit_cast<std::int32_t>(values[i]) & 0x7fffffff);
  return std::bit_cast<float>(bits);
}

float max_abs(std::span<const float> values) {
  return largest(values.data(), values.size());
}

/// Calls round(values, rule, first value's index, codes) for every block.
template <class Round>
HWY_INLINE void for_each_block(std::span<const float> in, const Int8Blocks& out, const Round& round) {
  auto* codes = reinterpret_cast<std::uint8_t*>(out.codes.data());
  std::byte* scales = out.scales.data();
  for (std::size_t start = 0; start < in.size(); start += out.block, scales += sizeof(float)) {
    const std::span<const float> values = in.subspan(start, std::min(out.block, in.size() - start));
    const Int8Scale scale = int8_scale(largest(values.data(), values.size()));
    std::memcpy(scales, &scale.scale, sizeof(float));
    if (scale.inverse == 0.0F) {
      std::memset(codes + start, 0, values.size());
    } else {
      round(values, LevelRule{scale}, start, codes + start);
    }
  }
}

void quantise_int8(std::span<const float> in, const Int8Blocks& out) {
  for_each_block(in, out,
                 [](std::span<const float> values, const LevelRule& rule, std::size_t, std::uint8_t* codes)
                     HWY_ATTR { quantise(values, rule, Nearest{}, codes); });
}

void quantise_int8_stochastic(const RoundingSource& source, const Int8Blocks& out) {
  for_each_block(source.values, out,
                 [&](std::span<const float> values, const LevelRule& rule, std::size_t at, std::uint8_t* codes)
                     HWY_ATTR {
                       round_to(Integers{}, {values, source.own, source.first + at}, rule, codes);
                     });
}

HWY_INLINE void add_block(const std::int8_t* codes, float block_scale, float scale, std::span<float> out) {
  const F32 d;
  const I8 d8;
  const I32 di;
  const std::size_t step = hn::Lanes(d);
  const auto unit = hn::Set(d, block_scale);
  const auto factor = hn::Set(d, scale);
  std::size_t i = 0;
  for (; i + step <= out.size(); i += step) {
    const auto value = hn::Mul(hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, codes + i))), unit);
    hn::StoreU(hn::MulAdd(value, factor, hn::LoadU(d, out.data() + i)), d, out.data() + i);
  }
  for (; i < out.size(); ++i) out[i] += static_cast<float>(codes[i]) * block_scale * scale;
}

void add_int8(Bytes scales, Bytes codes, std::size_t block, float scale, std::span<float> out) {
  const auto* code = reinterpret_cast<const std::int8_t*>(codes.data());
  for (std::size_t start = 0, b = 0; start < out.size(); start += block, ++b) {
    float block_scale = 0.0F;
    std::memcpy(&block_scale, scales.data() + b * sizeof(float), sizeof(float));
    add_block(code + start, block_scale, scale, out.subspan(start, std::min(block, out.size() - start)));
  }
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::kernels {

HWY_EXPORT(max_abs);
HWY_EXPORT(quantise_int8);
HWY_EXPORT(quantise_int8_stochastic);
HWY_EXPORT(add_int8);

float max_abs(std::span<const float> values) noexcept {
  return HWY_DYNAMIC_DISPATCH(max_abs)(values);
}

void quantise_int8(std::span<const float> in, const Int8Blocks& out) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_int8)(in, out);
}

void quantise_int8_stochastic(const RoundingSource& source, const Int8Blocks& out) noexcept {
  HWY_DYNAMIC_DISPATCH(quantise_int8_stochastic)(source, out);
}

void add_int8(Bytes scales, Bytes codes, std::size_t block, float scale, std::span<float> out) noexcept {
  HWY_DYNAMIC_DISPATCH(add_int8)(scales, codes, block, scale, out);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
