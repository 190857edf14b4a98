#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/count_sketch_kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <algorithm>
#include <bit>

#include "compress/count_sketch_kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using U32 = hn::ScalableTag<std::uint32_t>;
using F32 = hn::ScalableTag<float>;

HWY_INLINE std::uint32_t place_of(std::uint32_t hash, std::uint32_t columns) {
  return static_cast<std::uint32_t>(std::uint64_t{hash << 1} * columns >> 32) | (hash & kPlaceSign);
}

HWY_INLINE float read(const float* cells, std::uint32_t place) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(cells[place & ~kPlaceSign]) ^ (place & kPlaceSign));
}

void sketch_places(std::uint32_t high, std::span<const std::uint32_t> low, std::span<const std::uint32_t> sum,
                   std::uint32_t columns, std::span<std::uint32_t> out) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const U32 d;
  const hn::Repartition<std::uint64_t, U32> d64;
  const auto factor = hn::Set(d, columns);
  const auto sign = hn::Set(d, kPlaceSign);
  const auto upper = hn::Set(d64, 0xffffffff00000000ULL);
  for (; i + hn::Lanes(d) <= out.size(); i += hn::Lanes(d)) {
    const auto hash = hn::Xor(hn::Xor(hn::LoadU(d, low.data() + i), hn::LoadU(d, sum.data() + i)), hn::Set(d, high));
    const auto fraction = hn::Add(hash, hash);
    // Multipliers take the even lanes only: the odd ones are moved there, and their upper halves already lie in place.
    const auto even = hn::ShiftRight<32>(hn::MulEven(fraction, factor));
    const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, fraction))), factor);
    const auto column = hn::BitCast(d, hn::Or(even, hn::And(odd, upper)));
    hn::StoreU(hn::Or(column, hn::And(hash, sign)), d, out.data() + i);
  }
#endif
  for (; i < out.size(); ++i) out[i] = place_of(high ^ low[i] ^ sum[i], columns);
}

void read_places(std::span<const float> cells, std::span<const std::uint32_t> places, std::span<float> out) {
  const U32 d;
  const F32 df;
  const hn::ScalableTag<std::int32_t> di;
  const auto sign = hn::Set(d, kPlaceSign);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= out.size(); i += hn::Lanes(d)) {
    const auto place = hn::LoadU(d, places.data() + i);
    const auto cell = hn::GatherIndex(df, cells.data(), hn::BitCast(di, hn::AndNot(sign, place)));
    hn::StoreU(hn::Xor(cell, hn::BitCast(df, hn::And(place, sign))), df, out.data() + i);
  }
  for (; i < out.size(); ++i) out[i] = read(cells.data(), places[i]);
}

void order_pairs(std::span<float> a, std::span<float> b) {
  const F32 d;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= a.size(); i += hn::Lanes(d)) {
    const auto x = hn::LoadU(d, a.data() + i);
    const auto y = hn::LoadU(d, b.data() + i);
    hn::StoreU(hn::Min(x, y), d, a.data() + i);
    hn::StoreU(hn::Max(x, y), d, b.data() + i);
  }
  for (; i < a.size(); ++i) {
    if (b[i] < a[i]) std::swap(a[i], b[i]);
  }
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::kernels {

HWY_EXPORT(sketch_places);
HWY_EXPORT(read_places);
HWY_EXPORT(order_pairs);

void sketch_places(std::uint32_t high, std::span<const std::uint32_t> low, std::span<const std::uint32_t> sum,
                   std::uint32_t columns, std::span<std::uint32_t> out) noexcept {
  HWY_DYNAMIC_DISPATCH(sketch_places)(high, low, sum, columns, out);
}

void read_places(std::span<const float> cells, std::span<const std::uint32_t> places, std::span<float> out) noexcept {
  HWY_DYNAMIC_DISPATCH(read_places)(cells, places, out);
}

void order_pairs(std::span<float> a, std::span<float> b) noexcept {
  HWY_DYNAMIC_DISPATCH(order_pairs)(a, b);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
