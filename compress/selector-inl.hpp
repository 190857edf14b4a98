// Vectors of keys and values, and how chosen ones are copied. Included once per instruction set (hwy/foreach_target.h),
// hence the guard that toggles.
#if defined(GOSSAMER_SELECTOR_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSSAMER_SELECTOR_INL
#undef GOSSAMER_SELECTOR_INL
#else
#define GOSSAMER_SELECTOR_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "compress/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

// Keys have no sign bit, so that signed comparison, which every instruction set has, serves them.
using Keys = hn::ScalableTag<std::int32_t>;
using Words = hn::ScalableTag<std::uint32_t>;
using Floats = hn::ScalableTag<float>;
using KeyMask = hn::Mask<Keys>;

/// Stores the chosen of a vector of values, the first of which has position `index`; how many. Both outputs have room
/// for a whole vector.
HWY_INLINE std::size_t store_picked(hn::Vec<Floats> values, KeyMask chosen, std::uint32_t index, std::uint32_t* indices,
                                    float* picked) {
#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3
  // Without an instruction for it, Highway compresses by a table that GCC copies to the stack every time.
  HWY_ALIGN float all[hn::MaxLanes(Floats())];
  hn::Store(values, Floats(), all);
  const std::uint64_t bits = mask_bits(Keys(), chosen);
  std::size_t found = 0;
  for (std::size_t lane = 0; lane < hn::Lanes(Floats()); ++lane) {
    indices[found] = index + static_cast<std::uint32_t>(lane);
    picked[found] = all[lane];
    found += bits >> lane & 1;
  }
  return found;
#else
  // Compressed in a register and stored whole: compressing stores are several times slower.
  // The iota is a constant; one that starts at `index` would be made in memory, lane by lane.
  const auto positions = hn::Add(hn::Iota(Words(), 0), hn::Set(Words(), index));
  hn::StoreU(hn::Compress(positions, hn::RebindMask(Words(), chosen)), Words(), indices);
  hn::StoreU(hn::Compress(values, hn::RebindMask(Floats(), chosen)), Floats(), picked);
  return hn::CountTrue(Keys(), chosen);
#endif
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
