#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/kernels_random.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for every instruction set.
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "compress/kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gossamer::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE std::size_t batch_size() {
  return 4;
}

HWY_INLINE void batch(const RandomStream& stream, std::uint64_t index, std::uint32_t* out) {
  const auto words = stream.words(index);
  std::copy(words.begin(), words.end(), out);
}
#else
using U32 = hn::CappedTag<std::uint32_t, 16>;
using U64 = hn::Repartition<std::uint64_t, U32>;

HWY_INLINE std::size_t batch_size() {
  return 4 * hn::Lanes(U32());
}

struct Product {
  hn::Vec<U32> high;
  hn::Vec<U32> low;
};

/// 32 × 32 → 64 bits in every lane: multipliers take the even lanes only, so the odd ones are moved there and back.
HWY_INLINE Product multiply(hn::Vec<U32> value, std::uint32_t factor) {
  const U32 d;
  const U64 d64;
  const auto factors = hn::Set(d, factor);
  const auto even = hn::MulEven(value, factors);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, value))), factors);
  const auto upper = hn::Set(d64, 0xffffffff00000000ULL);
  const auto high = hn::Or(hn::ShiftRight<32>(even), hn::And(odd, upper));
  const auto low = hn::Or(hn::AndNot(upper, even), hn::ShiftLeft<32>(odd));
  return {hn::BitCast(d, high), hn::BitCast(d, low)};
}

/// One philox() per lane, lane i for index + i: gossamer::philox in lib/base, lane by lane.
HWY_INLINE void batch(const RandomStream& stream, std::uint64_t index, std::uint32_t* out) {
  const U32 d;
  const auto start = hn::Set(d, static_cast<std::uint32_t>(index));
  auto c0 = hn::Add(start, hn::Iota(d, 0));
  const auto carry = hn::IfThenElseZero(hn::Lt(c0, start), hn::Set(d, 1));
  auto c1 = hn::Add(hn::Set(d, static_cast<std::uint32_t>(index >> 32)), carry);
  auto c2 = hn::Set(d, stream.call);
  auto c3 = hn::Set(d, stream.stream);
  auto key0 = static_cast<std::uint32_t>(stream.seed);
  auto key1 = static_cast<std::uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Product product0 = multiply(c0, 0xD2511F53);
    const Product product1 = multiply(c2, 0xCD9E8D57);
    c0 = hn::Xor(hn::Xor(product1.high, c1), hn::Set(d, key0));
    c1 = product1.low;
    c2 = hn::Xor(hn::Xor(product0.high, c3), hn::Set(d, key1));
    c3 = product0.low;
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  hn::StoreInterleaved4(c0, c1, c2, c3, d, out);
}
#endif

void random_words(const RandomStream& stream, std::uint64_t first, std::span<std::uint32_t> out) {
  const std::size_t size = batch_size();
  std::uint64_t index = first / 4;
  std::size_t skip = first % 4;
  HWY_ALIGN std::uint32_t words[64];
  for (std::size_t at = 0; at < out.size(); index += size / 4) {
    if (skip == 0 && out.size() - at >= size) {
      batch(stream, index, out.data() + at);
      at += size;
      continue;
    }
    batch(stream, index, words);
    const std::size_t count = std::min(size - skip, out.size() - at);
    std::memcpy(out.data() + at, words + skip, count * sizeof(std::uint32_t));
    at += count;
    skip = 0;
  }
}

}  // namespace gossamer::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gossamer::kernels {

HWY_EXPORT(random_words);

void random_words(const RandomStream& stream, std::uint64_t first, std::span<std::uint32_t> out) noexcept {
  HWY_DYNAMIC_DISPATCH(random_words)(stream, first, out);
}

}  // namespace gossamer::kernels
#endif  // HWY_ONCE
