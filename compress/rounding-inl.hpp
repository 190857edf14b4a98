// The walk over values that are rounded at random. Included once per instruction set (hwy/foreach_target.h), hence the
// guard that toggles.
#if defined(GOSSAMER_ROUNDING_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSSAMER_ROUNDING_INL
#undef GOSSAMER_ROUNDING_INL
#else
#define GOSSAMER_ROUNDING_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "compress/kernels.hpp"
#include "compress/lanes-inl.hpp"
#include "compress/rounding.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

/// Values that are rounded at a time, whose open decisions fit into a word.
constexpr std::size_t kRoundingWord = 64;
constexpr std::size_t kLine = 64 / sizeof(float);  // values of a line of the caches
/// Values whose randomness is drawn at a time: short enough to stay in the first cache.
constexpr std::size_t kRoundingPiece = 1024;

/// The values of `source` from `at` on, and the upper bits of their randomness, readable for a whole word.
struct RoundingPiece {
  const RoundingSource& source;
  const std::uint8_t* upper;
  std::size_t at;
  std::size_t count;  ///< up to kRoundingWord

  [[nodiscard]] HWY_INLINE const float* values() const { return source.values.data() + at; }
  [[nodiscard]] HWY_INLINE std::uint32_t lower(std::size_t i, unsigned bits) const {
    return lower_bits(source.own, source.first + at + i, bits);
  }
};

/// What the upper bits of a vector of values make of the numbers in [0, 1) that all bits make: these are less than
/// kUpperStep above.
constexpr float kUpperStep = 0x1p-8F;
HWY_INLINE hn::Vec<hn::ScalableTag<float>> upper_uniforms(const std::uint8_t* upper) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  return hn::Mul(hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, upper))), hn::Set(d, kUpperStep));
}

/// Calls round(piece) for each word of values.
template <class Round>
HWY_INLINE void for_each_rounding(const RoundingSource& source, const Round& round) {
  // Room before the first value's byte in its word, and behind a last word that is not whole.
  constexpr std::size_t kRoom = kRoundingWord / sizeof(std::uint32_t);
  HWY_ALIGN std::uint32_t words[1 + kRoundingPiece / sizeof(std::uint32_t) + kRoom];
  for (std::size_t start = 0; start < source.values.size(); start += kRoundingPiece) {
    const std::size_t end = std::min(start + kRoundingPiece, source.values.size());
    const std::uint64_t element = source.first + start;
    const std::size_t skip = element % 4;
    const std::size_t drawn = (skip + end - start + 3) / 4;
    kernels::random_words(source.own, element / 4, std::span(words).first(drawn));
    std::fill_n(words + drawn, kRoom, 0U);
    const std::uint8_t* upper = reinterpret_cast<const std::uint8_t*>(words) + skip;
    for (std::size_t at = start; at < end; at += kRoundingWord) {
      for (std::size_t line = 0; line < kRoundingWord; line += kLine) {
        hwy::Prefetch(source.values.data() + at + line + kPrefetchFloats);
      }
      round(RoundingPiece{source, upper + (at - start), at, std::min(kRoundingWord, end - at)});
    }
  }
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
