#include "compress/magnitude_sample.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace gossamer {

std::uint32_t nth_largest(std::span<std::uint32_t> keys, std::size_t n) noexcept {
  std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(n), keys.end(), std::greater<>());
  return keys[n];
}

void MagnitudeSample::draw(std::span<const float> values, std::size_t taken) {
  keys_.resize(taken);
  if (taken == 0) return;
  const std::size_t width = values.size() / taken;
  for (std::size_t i = 0; i < taken; ++i) {
    const std::uint64_t scatter = (i * 0x9E3779B97F4A7C15ULL) >> 32;
    keys_[i] = key_of(values[i * width + ((scatter * width) >> 32)]);
  }
}

std::uint32_t MagnitudeSample::nth_largest(std::size_t n) noexcept {
  return gossamer::nth_largest(keys_, n);
}

std::uint32_t MagnitudeSample::upper_quantile(double share) noexcept {
  if (keys_.empty()) return 0;
  // The j-th largest of m is expected to have j / (m + 1) of all values at or above it.
  const auto count = static_cast<double>(keys_.size());
  const double rank = std::clamp(std::round(share * (count + 1)), 1.0, count);
  return nth_largest(static_cast<std::size_t>(rank) - 1);
}

}  // namespace gossamer
