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
using U64 = hn::CappedTag<std::uint64_t, 8>;
using U32 = hn::Repartition<std::uint32_t, U64>;

constexpr std::size_t kVectors = 2;  // at a time: each multiplication waits for the one of the round before

HWY_INLINE std::size_t batch_size() {
  return kVectors * 4 * hn::Lanes(U64());
}

/// The counters of one philox() in every lane of 64 bits. Each has the lower half of its lane; what is in the upper one
/// does not matter, since multiplications do not read it, and the product's halves are where the next round wants them.
struct Counters {
  hn::Vec<U32> c0;
  hn::Vec<U32> c1;
  hn::Vec<U32> c2;
  hn::Vec<U32> c3;
};

HWY_INLINE Counters counters_from(const RandomStream& stream, std::uint64_t index) {
  const U32 d;
  const auto indices = hn::BitCast(d, hn::Add(hn::Set(U64(), index), hn::Iota(U64(), 0)));
  return {indices, hn::DupOdd(indices), hn::Set(d, stream.call), hn::Set(d, stream.stream)};
}

HWY_INLINE void advance(Counters& counters, std::uint32_t key0, std::uint32_t key1) {
  const U32 d;
  const auto product0 = hn::BitCast(d, hn::MulEven(counters.c0, hn::Set(d, 0xD2511F53)));
  const auto product1 = hn::BitCast(d, hn::MulEven(counters.c2, hn::Set(d, 0xCD9E8D57)));
  counters = {hn::Xor3(hn::DupOdd(product1), counters.c1, hn::Set(d, key0)), product1,
              hn::Xor3(hn::DupOdd(product0), counters.c3, hn::Set(d, key1)), product0};
}

HWY_INLINE void store(const Counters& counters, std::uint32_t* out) {
  const U64 d;
  const auto first = hn::OddEven(hn::DupEven(counters.c1), counters.c0);
  const auto second = hn::OddEven(hn::DupEven(counters.c3), counters.c2);
  hn::StoreInterleaved2(hn::BitCast(d, first), hn::BitCast(d, second), d, reinterpret_cast<std::uint64_t*>(out));
}

/// gossamer::philox in lib/base, lane by lane.
HWY_INLINE void batch(const RandomStream& stream, std::uint64_t index, std::uint32_t* out) {
  const std::size_t lanes = hn::Lanes(U64());
  Counters counters0 = counters_from(stream, index);
  Counters counters1 = counters_from(stream, index + lanes);
  auto key0 = static_cast<std::uint32_t>(stream.seed);
  auto key1 = static_cast<std::uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    advance(counters0, key0, key1);
    advance(counters1, key0, key1);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  store(counters0, out);
  store(counters1, out + 4 * lanes);
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
