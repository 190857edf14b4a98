#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/proportional.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "compress/proportional.hpp"
#include "compress/rounding-inl.hpp"
#include "compress/selector-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

/// Lanes in double, on every machine: whole vectors of it, one after the other.
constexpr std::size_t kSums = 8;
using Doubles = hn::CappedTag<double, kSums>;
using Singles = hn::Rebind<float, Doubles>;

Split split_at(std::span<const float> values, float bound) {
  const Doubles d;
  const Singles d32;
  const auto bounds = hn::Set(d32, bound);
  HWY_ALIGN double sums[kSums] = {};
  std::size_t below = 0;
  std::size_t i = 0;
  for (; i + kSums <= values.size(); i += kSums) {
    hwy::Prefetch(values.data() + i + kPrefetchFloats);
    for (std::size_t k = 0; k < kSums; k += hn::Lanes(d)) {
      const auto size = hn::Abs(hn::LoadU(d32, values.data() + i + k));
      const auto small = hn::Lt(size, bounds);
      below += hn::CountTrue(d32, small);
      hn::Store(hn::Add(hn::Load(d, sums + k), hn::PromoteTo(d, hn::IfThenElseZero(small, size))), d, sums + k);
    }
  }
  for (; i < values.size(); ++i) {
    const float size = std::abs(values[i]);
    if (!(size < bound)) continue;
    sums[0] += static_cast<double>(size);
    ++below;
  }
  return {std::accumulate(sums, sums + kSums, 0.0), values.size() - below};
}

constexpr unsigned kLowerBits = 24;

/// Which of a vector of values go; bit j is value i + j of the piece.
HWY_INLINE std::uint64_t going(const RoundingPiece& piece, std::size_t i, hn::Vec<Floats> size, float bound) {
  const Floats d;
  const auto bounds = hn::Set(d, bound);
  const auto uniform = upper_uniforms(piece.upper + i);
  const auto perhaps = hn::Lt(hn::Mul(uniform, bounds), size);
  if (HWY_LIKELY(hn::AllFalse(d, perhaps))) return 0;
  const auto surely = hn::Le(hn::Mul(hn::Add(uniform, hn::Set(d, kUpperStep)), bounds), size);
  std::uint64_t going = mask_bits(d, perhaps);
  for (std::uint64_t open = mask_bits(d, hn::AndNot(surely, perhaps)); open != 0; open &= open - 1) {
    const std::size_t at = i + static_cast<std::size_t>(std::countr_zero(open));
    const std::uint32_t bits = std::uint32_t{piece.upper[at]} << kLowerBits | piece.lower(at, kLowerBits);
    if (!goes(std::abs(piece.values()[at]), bound, bits)) going &= ~(open & (~open + 1));
  }
  return going;
}

std::size_t pick_proportional(const RoundingSource& source, float bound, std::uint32_t first_index,
                              const PickedEntries& out) {
  const Floats d;
  const Keys di;
  std::size_t found = 0;
  const auto pick = [&](const RoundingPiece& piece, const float* from, std::size_t i) HWY_ATTR {
    const auto values = hn::LoadU(d, from + i);
    const auto size = hn::Abs(values);
    const std::uint64_t bits = going(piece, i, size, bound);
    if (HWY_LIKELY(bits == 0)) return;
    const auto enlarged = hn::CopySignToAbs(hn::Max(size, hn::Set(d, bound)), values);
    const auto chosen = hn::LoadMaskBits(di, reinterpret_cast<const std::uint8_t*>(&bits));
    found += store_picked(enlarged, chosen, first_index + static_cast<std::uint32_t>(piece.at + i), out.indices + found,
                          out.values + found);
  };
  for_each_rounding(source, [&](const RoundingPiece& piece) HWY_ATTR {
    HWY_ALIGN float tail[kRoundingWord];
    const float* from = piece.values();
    if (piece.count < kRoundingWord) {
      std::fill(std::copy_n(from, piece.count, tail), tail + kRoundingWord, 0.0F);
      from = tail;
    }
    for (std::size_t i = 0; i < piece.count; i += hn::Lanes(d)) pick(piece, from, i);
  });
  return found;
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::kernels {

HWY_EXPORT(split_at);
HWY_EXPORT(pick_proportional);

Split split_at(std::span<const float> values, float bound) noexcept {
  return HWY_DYNAMIC_DISPATCH(split_at)(values, bound);
}

std::size_t pick_proportional(const RoundingSource& source, float bound, std::uint32_t first_index,
                              const PickedEntries& out) noexcept {
  return HWY_DYNAMIC_DISPATCH(pick_proportional)(source, bound, first_index, out);
}

}  // namespace gossamer::kernels

namespace gossamer {

void append_proportional(Chunk run, float bound, const RandomStream& own, SparseVector& out) {
  constexpr std::size_t kBlock = 4096;
  for (std::size_t at = 0; at < run.count; at += kBlock) {
    const std::span<const float> block = run.floats().subspan(at, std::min(kBlock, run.count - at));
    out.make_room(block.size() + kernels::kStoreSlack);
    out.added(kernels::pick_proportional({block, own, run.offset + at}, bound, static_cast<std::uint32_t>(at),
                                         {out.end_indices(), out.end_values()}));
  }
}

}  // namespace gossamer
#endif  // HWY_ONCE
