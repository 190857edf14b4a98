#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace gossamer {

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
    double rest = 0;
    std::size_t now = 0;
    for (const T signed_weight : weights) {
      const double weight = std::abs(static_cast<double>(signed_weight));
      if (weight >= bound) {
        ++now;
      } else {
        rest += weight;
      }
    }
    if (std::isfinite(bound) && now == certain) return bound;
    certain = now;
    const double left = budget - static_cast<double>(certain);
    if (rest == 0 || left <= 0) return rest == 0 ? 0 : bound;
    bound = rest / left;
  }
}

/// Whether an atom goes, decided by 32 random bits: with probability min(1, weight / bound), rounded to 2^-32.
[[nodiscard]] inline bool goes(double weight, double bound, std::uint32_t word) noexcept {
  return weight >= bound ? weight > 0 : (static_cast<double>(word) + 0.5) * 0x1p-32 * bound < weight;
}

}  // namespace gossamer
