#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compress/selector_kernels.hpp"

namespace gossamer {

/// The bits of |x|, which sort as it does.
inline std::uint32_t key_of(float value) noexcept {
  return std::bit_cast<std::uint32_t>(value) & kernels::kMaxKey;
}

/// A stratified sample of a tensor's keys: one from each of equal parts, scattered within its part so that no period in
/// the data lines up with the sample. The same values give the same sample. Memory is kept between calls.
class MagnitudeSample {
 public:
  /// `taken` is at most values.size().
  void draw(std::span<const float> values, std::size_t taken);
  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
  /// The n-th largest key of the sample, from 0.
  [[nodiscard]] std::uint32_t nth_largest(std::size_t n) noexcept;
  /// The key that about `share` of the sampled tensor's values reach or exceed; 0 without a sample.
  [[nodiscard]] std::uint32_t upper_quantile(double share) noexcept;

 private:
  std::vector<std::uint32_t> keys_;
};

/// keys[n] if they were sorted from the largest on; reorders them.
std::uint32_t nth_largest(std::span<std::uint32_t> keys, std::size_t n) noexcept;

}  // namespace gossamer
