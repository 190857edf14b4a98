#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/hadamard.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <cstddef>

#include "compress/hadamard.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Wide = hn::CappedTag<float, 8>;

/// Sums and differences at distance h, a multiple of the lanes.
template <class D>
HWY_INLINE void stage(D d, float* values, std::size_t count, std::size_t h) {
  for (std::size_t start = 0; start < count; start += 2 * h) {
    for (float* at = values + start; at < values + start + h; at += hn::Lanes(d)) {
      const auto a = hn::LoadU(d, at);
      const auto b = hn::LoadU(d, at + h);
      hn::StoreU(hn::Add(a, b), d, at);
      hn::StoreU(hn::Sub(a, b), d, at + h);
    }
  }
}

/// The stages of distances h and 2h at once: half the memory traffic.
template <class D>
HWY_INLINE void two_stages(D d, float* values, std::size_t count, std::size_t h) {
  for (std::size_t start = 0; start < count; start += 4 * h) {
    for (float* at = values + start; at < values + start + h; at += hn::Lanes(d)) {
      const auto v0 = hn::LoadU(d, at);
      const auto v1 = hn::LoadU(d, at + h);
      const auto v2 = hn::LoadU(d, at + 2 * h);
      const auto v3 = hn::LoadU(d, at + 3 * h);
      const auto sum01 = hn::Add(v0, v1);
      const auto sum23 = hn::Add(v2, v3);
      const auto difference01 = hn::Sub(v0, v1);
      const auto difference23 = hn::Sub(v2, v3);
      hn::StoreU(hn::Add(sum01, sum23), d, at);
      hn::StoreU(hn::Add(difference01, difference23), d, at + h);
      hn::StoreU(hn::Sub(sum01, sum23), d, at + 2 * h);
      hn::StoreU(hn::Sub(difference01, difference23), d, at + 3 * h);
    }
  }
}

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void within_four(float* values, std::size_t count) {
  two_stages(hn::CappedTag<float, 1>(), values, count, 1);
}
HWY_INLINE void four_apart(float* values, std::size_t count) {
  two_stages(hn::CappedTag<float, 1>(), values, count, 4);
}
#else
using Four = hn::FixedTag<float, 4>;

/// Distances 1 and 2, inside a vector: v[i] ± v[i ^ h].
HWY_INLINE void within_four(float* values, std::size_t count) {
  const Four d;
  alignas(16) static constexpr float kOdd[4] = {1.0F, -1.0F, 1.0F, -1.0F};
  alignas(16) static constexpr float kUpper[4] = {1.0F, 1.0F, -1.0F, -1.0F};
  const auto odd = hn::Load(d, kOdd);
  const auto upper = hn::Load(d, kUpper);
  for (std::size_t i = 0; i < count; i += 4) {
    auto v = hn::LoadU(d, values + i);
    v = hn::MulAdd(v, odd, hn::Reverse2(d, v));
    v = hn::MulAdd(v, upper, hn::Shuffle1032(v));
    hn::StoreU(v, d, values + i);
  }
}
HWY_INLINE void four_apart(float* values, std::size_t count) {
  two_stages(Four(), values, count, 4);
}
#endif

void hadamard(float* values, std::size_t count) {
  if (count < 4) {
    if (count == 2) stage(hn::CappedTag<float, 1>(), values, count, 1);
    return;
  }
  within_four(values, count);
  std::size_t h = 4;
  if (count >= 16) {
    four_apart(values, count);
    h = 16;
  }
  for (; 4 * h <= count; h *= 4) two_stages(Wide(), values, count, h);
  if (2 * h <= count) h < 8 ? stage(hn::CappedTag<float, 4>(), values, count, h) : stage(Wide(), values, count, h);
}

void flip_signs(std::span<float> values, const std::uint32_t* words) {
  const hn::CappedTag<std::uint32_t, 8> du;
  const Wide d;
  std::size_t i = 0;
  const auto lane = hn::Iota(du, 0);
  for (; i + hn::Lanes(d) <= values.size(); i += hn::Lanes(d)) {
    const auto word = hn::Set(du, words[i / 32] >> (i % 32));
    const auto sign = hn::ShiftLeft<31>(hn::Shr(word, lane));
    hn::StoreU(hn::BitCast(d, hn::Xor(hn::BitCast(du, hn::LoadU(d, values.data() + i)), sign)), d, values.data() + i);
  }
  for (; i < values.size(); ++i) {
    if ((words[i / 32] >> (i % 32) & 1) != 0) values[i] = -values[i];
  }
}

}  // namespace gossamer::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer {

HWY_EXPORT(hadamard);
HWY_EXPORT(flip_signs);

void hadamard(std::span<float> values) noexcept {
  HWY_DYNAMIC_DISPATCH(hadamard)(values.data(), values.size());
}

void flip_signs(std::span<float> values, const std::uint32_t* words) noexcept {
  HWY_DYNAMIC_DISPATCH(flip_signs)(values, words);
}

}  // namespace gossamer
#endif  // HWY_ONCE
