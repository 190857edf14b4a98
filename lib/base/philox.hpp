#pragma once

#include <array>
#include <cstdint>

namespace gossamer {

/// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11): four 32-bit words that depend
/// on nothing but key and counter, so any thread may draw any element's randomness in any order.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// The randomness of one call on one tensor. Draws are addressed by (`stream`, index): stream 0 is shared by all ranks
/// (indices, warm starts), stream rank + 1 belongs to one rank (stochastic rounding).
struct RandomStream {
  std::uint64_t seed = 0;    ///< the communicator's seed mixed with the tensor's identity
  std::uint32_t call = 0;    ///< call number on this tensor
  std::uint32_t stream = 0;  ///< 0 shared, rank + 1 private

  /// Four words for index `index`.
  [[nodiscard]] std::array<std::uint32_t, 4> words(std::uint64_t index) const noexcept {
    return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), call, stream},
                  {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  }
};

/// A float in [0, 1) with 24 random bits.
inline float to_unit(std::uint32_t word) noexcept {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

/// FNV-1a, 64 bits: tensor identities and configuration fingerprints.
constexpr std::uint64_t fnv1a(const char* data, std::size_t size, std::uint64_t hash = 0xcbf29ce484222325ULL) noexcept {
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ static_cast<unsigned char>(data[i])) * 0x100000001b3ULL;
  return hash;
}

}  // namespace gossamer
