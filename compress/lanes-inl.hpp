// Vectors of each element type, in the type they compute in. Included once per instruction set (hwy/foreach_target.h),
// hence the guard that toggles.
#if defined(GOSSAMER_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSSAMER_LANES_INL
#undef GOSSAMER_LANES_INL
#else
#define GOSSAMER_LANES_INL
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "compress/half.hpp"

// The hardware's float16 conversions round to nearest even; Highway's emulation of them does not.
#undef GOSSAMER_HAVE_F16
#if (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2) || (HWY_ARCH_ARM_A64 && HWY_TARGET == HWY_NEON)
#define GOSSAMER_HAVE_F16 1
#else
#define GOSSAMER_HAVE_F16 0
#endif

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// How far ahead of itself a loop that computes while it streams asks for memory. Without, its arithmetic adds to the
/// time of the memory instead of hiding behind it: 4 GB/s instead of 8.7 for int8.
constexpr std::size_t kPrefetchFloats = 1024;

/// Bit i is lane i's.
template <class D>
HWY_INLINE std::uint64_t mask_bits(D d, hn::Mask<D> mask) {
  std::uint64_t bits = 0;
  hn::StoreMaskBits(d, mask, reinterpret_cast<std::uint8_t*>(&bits));
  return bits;
}

template <typename T>
struct NativeLanes {
  using Value = T;
  using D = hn::ScalableTag<T>;
  static constexpr std::size_t kBytes = sizeof(T);
  static HWY_INLINE hn::Vec<D> load(D d, const std::byte* from) {
    return hn::LoadU(d, reinterpret_cast<const T*>(from));
  }
  /// Stores and returns what was stored.
  static HWY_INLINE hn::Vec<D> store(D d, hn::Vec<D> values, std::byte* to) {
    hn::StoreU(values, d, reinterpret_cast<T*>(to));
    return values;
  }
};

using Float32Lanes = NativeLanes<float>;
using Float64Lanes = NativeLanes<double>;

/// Common to the two half types: `Rounding` narrows and widens vectors of float.
template <typename Rounding>
struct HalfLanes {
  using Value = float;
  using D = hn::ScalableTag<float>;
  static constexpr std::size_t kBytes = 2;
  static HWY_INLINE hn::Vec<D> load(D d, const std::byte* from) {
    const hn::Rebind<std::uint16_t, D> d16;
    return Rounding::widen(d, hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(from)));
  }
  static HWY_INLINE void put(D d, hn::Vec<D> values, std::byte* to) {
    const hn::Rebind<std::uint16_t, D> d16;
    hn::StoreU(Rounding::narrow(d, values), d16, reinterpret_cast<std::uint16_t*>(to));
  }
  /// put() of values that are known to be finite.
  static HWY_INLINE void put_finite(D d, hn::Vec<D> values, std::byte* to) {
    const hn::Rebind<std::uint16_t, D> d16;
    hn::StoreU(Rounding::narrow_finite(d, values), d16, reinterpret_cast<std::uint16_t*>(to));
  }
  static HWY_INLINE hn::Vec<D> store(D d, hn::Vec<D> values, std::byte* to) {
    const hn::Rebind<std::uint16_t, D> d16;
    const auto bits = Rounding::narrow(d, values);
    hn::StoreU(bits, d16, reinterpret_cast<std::uint16_t*>(to));
    return Rounding::widen(d, bits);
  }
};

struct BFloat16Rounding {
  template <class D>
  static HWY_INLINE hn::Vec<D> widen(D d, hn::Vec<hn::Rebind<std::uint16_t, D>> bits) {
    const hn::Rebind<std::uint32_t, D> d32;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, bits)));
  }
  /// The bits of the rounded value, with those of the next 16 below them.
  template <class D>
  static HWY_INLINE hn::Vec<hn::Rebind<std::uint32_t, D>> rounded(D, hn::Vec<D> values) {
    const hn::Rebind<std::uint32_t, D> d32;
    const auto bits = hn::BitCast(d32, values);
    const auto even = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
    return hn::Add(bits, hn::Add(even, hn::Set(d32, 0x7fff)));
  }
  template <class D>
  static HWY_INLINE hn::Vec<hn::Rebind<std::uint16_t, D>> narrow_finite(D d, hn::Vec<D> values) {
    const hn::Rebind<std::uint16_t, D> d16;
    return hn::TruncateTo(d16, hn::ShiftRight<16>(rounded(d, values)));
  }
  template <class D>
  static HWY_INLINE hn::Vec<hn::Rebind<std::uint16_t, D>> narrow(D d, hn::Vec<D> values) {
    const hn::Rebind<std::uint32_t, D> d32;
    const hn::Rebind<std::uint16_t, D> d16;
    // Rounding would carry some NaN into the sign.
    const auto quiet = hn::Or(hn::BitCast(d32, values), hn::Set(d32, 0x400000));
    const auto bits = hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(values)), quiet, rounded(d, values));
    return hn::TruncateTo(d16, hn::ShiftRight<16>(bits));
  }
};

struct Float16Rounding {
#if GOSSAMER_HAVE_F16
  template <class D>
  static HWY_INLINE hn::Vec<D> widen(D d, hn::Vec<hn::Rebind<std::uint16_t, D>> bits) {
    const hn::Rebind<hwy::float16_t, D> d16;
    return hn::PromoteTo(d, hn::BitCast(d16, bits));
  }
  template <class D>
  static HWY_INLINE hn::Vec<hn::Rebind<std::uint16_t, D>> narrow(D, hn::Vec<D> values) {
    const hn::Rebind<hwy::float16_t, D> d16;
    const hn::Rebind<std::uint16_t, D> du16;
    return hn::BitCast(du16, hn::DemoteTo(d16, values));
  }
#else
  template <class D>
  static HWY_INLINE hn::Vec<D> widen(D d, hn::Vec<hn::Rebind<std::uint16_t, D>> bits) {
    const hn::Rebind<std::uint16_t, D> d16;
    HWY_ALIGN std::uint16_t halves[hn::MaxLanes(d)];
    HWY_ALIGN float floats[hn::MaxLanes(d)];
    hn::StoreU(bits, d16, halves);
    for (std::size_t i = 0; i < hn::Lanes(d); ++i) floats[i] = float16_to_float(halves[i]);
    return hn::Load(d, floats);
  }
  template <class D>
  static HWY_INLINE hn::Vec<hn::Rebind<std::uint16_t, D>> narrow(D d, hn::Vec<D> values) {
    const hn::Rebind<std::uint16_t, D> d16;
    HWY_ALIGN std::uint16_t halves[hn::MaxLanes(d)];
    HWY_ALIGN float floats[hn::MaxLanes(d)];
    hn::Store(values, d, floats);
    for (std::size_t i = 0; i < hn::Lanes(d); ++i) halves[i] = float_to_float16(floats[i]);
    return hn::LoadU(d16, halves);
  }
#endif
  template <class D>
  static HWY_INLINE hn::Vec<hn::Rebind<std::uint16_t, D>> narrow_finite(D d, hn::Vec<D> values) {
    return narrow(d, values);
  }
};

using Float16Lanes = HalfLanes<Float16Rounding>;
using BFloat16Lanes = HalfLanes<BFloat16Rounding>;

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
