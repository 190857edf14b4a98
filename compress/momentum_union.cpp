#include "compress/momentum_union.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/kernels.hpp"

namespace gossamer {
namespace {

/// Sums of momentum may leave the range of float; they stay at its end.
float bounded(float value) noexcept {
  constexpr float kMost = std::numeric_limits<float>::max();
  return std::min(std::max(value, -kMost), kMost);
}

/// What makes the norm of `gradient` at most `limit`.
float clip_factor(std::span<const float> gradient, double limit) noexcept {
  const double norm = std::sqrt(kernels::sum_of_squares(gradient));
  return norm > limit ? static_cast<float>(limit / norm) : 1.0F;
}

void plain(std::span<float> gradient, std::span<float> momentum, float m, float factor) noexcept {
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    momentum[i] = bounded(m * momentum[i] + factor * gradient[i]);
    gradient[i] = momentum[i];
  }
}

void nesterov(std::span<float> gradient, std::span<float> momentum, float m, float factor) noexcept {
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const float clipped = factor * gradient[i];
    momentum[i] = m * bounded(momentum[i] + clipped);
    gradient[i] = bounded(momentum[i] + clipped);
  }
}

}  // namespace

void MomentumUnion::reset() {
  SparseUnion::reset();
  std::fill(momentum_.begin(), momentum_.end(), 0.0F);
}

void MomentumUnion::condition(Chunk gradient, const StepContext& context) {
  const std::span<float> values = gradient.floats();
  const double limit = rule_.clip / std::sqrt(static_cast<double>(context.ranks));
  const float factor = rule_.clip > 0 ? clip_factor(values, limit) : 1.0F;
  (rule_.nesterov ? nesterov : plain)(values, momentum_, rule_.momentum, factor);
}

Bytes MomentumUnion::encode(Chunk chunk, MutableBytes slot) {
  const Bytes payload = SparseUnion::encode(chunk, slot);
  // Where everything is sent this would wipe the momentum, and leave plain SGD.
  if (rule_.masking && !keeps_all()) {
    for (const std::uint32_t index : chosen().indices()) momentum_[chunk.offset + index] = 0;
  }
  return payload;
}

}  // namespace gossamer
