#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "compress/proportional.hpp"

namespace gossamer {

/// The same for weights in double.
[[nodiscard]] inline kernels::Split split_at(std::span<const double> weights, double bound) noexcept {
  kernels::Split split;
  for (const double weight : weights) {
    if (weight >= bound) {
      ++split.reaching;
    } else {
      split.sum += weight;
    }
  }
  return split;
}
[[nodiscard]] inline kernels::Split split_at(std::span<const float> values, double bound) noexcept {
  constexpr float kAll = std::numeric_limits<float>::infinity();
  const bool within = bound <= static_cast<double>(std::numeric_limits<float>::max());
  return kernels::split_at(values, within ? static_cast<float>(bound) : kAll);
}

/// How to send a few of many atoms without bias: atom i, of weight w_i ≥ 0, goes with probability p_i = min(1, w_i / b)
/// and is multiplied by 1 / p_i. Of all choices with Σ p_i = budget these have the least variance, Σ w_i² (1/p_i − 1)
/// (Wang, Sievert, Charles, Liu, Wright, Papailiopoulos, "ATOMO: communication-efficient learning via atomic
/// sparsification", NeurIPS 2018).
///
/// Returns b; 0 when the budget suffices for all atoms that are not zero. Where w_i ≥ b, p_i is 1 and takes a whole
/// atom from the budget; the rest share what is left, which makes more of them certain, until none is added.
template <typename T>
[[nodiscard]] double certain_weight(std::span<const T> weights, double budget) noexcept {
  double bound = std::numeric_limits<double>::infinity();
  for (std::size_t certain = 0;;) {
    const kernels::Split split = split_at(weights, bound);
    if (std::isfinite(bound) && split.reaching == certain) return bound;
    certain = split.reaching;
    const double left = budget - static_cast<double>(certain);
    if (split.sum == 0 || left <= 0) return split.sum == 0 ? 0 : bound;
    bound = split.sum / left;
  }
}

}  // namespace gossamer
