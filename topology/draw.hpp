#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/philox.hpp"

namespace gossamer {

/// The random numbers of a graph: the same on every rank and machine, for they depend on `seed` and `name` only. Meets
/// the requirements of a uniform random bit generator, but not for std:: distributions, which differ between standard
/// libraries.
class Draw {
 public:
  using result_type = std::uint32_t;
  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return UINT32_MAX; }

  Draw(std::uint64_t seed, std::string_view name) noexcept : seed_(seed), name_(fnv1a(name.data(), name.size())) {}

  result_type operator()() noexcept {
    if (count_ % 4 == 0) {
      const std::uint64_t block = count_ / 4;
      words_ = philox({low(block), high(block), low(name_), high(name_)}, {low(seed_), high(seed_)});
    }
    return words_[count_++ % 4];
  }

  /// 0 … bound − 1, all equally likely; bound ≥ 1.
  std::size_t below(std::size_t bound) noexcept {
    const std::uint64_t fair = UINT64_MAX - UINT64_MAX % bound;
    while (true) {
      const std::uint64_t upper = std::uint64_t{(*this)()} << 32;
      const std::uint64_t value = upper | (*this)();
      if (value < fair) return value % bound;
    }
  }

  template <typename Value>
  void shuffle(std::vector<Value>& values) noexcept {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  static constexpr std::uint32_t low(std::uint64_t value) noexcept { return static_cast<std::uint32_t>(value); }
  static constexpr std::uint32_t high(std::uint64_t value) noexcept { return static_cast<std::uint32_t>(value >> 32); }

  std::uint64_t seed_;
  std::uint64_t name_;
  std::uint64_t count_ = 0;
  std::array<std::uint32_t, 4> words_{};
};

}  // namespace gossamer
