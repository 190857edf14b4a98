#include "compress/orthonormal.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace gossamer {
namespace {

// Below this share of a vector's length, what a projection leaves of it is rounding noise of float32.
constexpr double kDependent = 1e-6;
// A pass that leaves more than this needs no repetition: what it cancelled cannot have cost digits.
constexpr double kSettled = 0.7;

/// a -= weight · b. The weight is a float so that the product with it is exact (see dot).
void subtract(std::span<float> a, float weight, std::span<const float> b) noexcept {
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(static_cast<double>(a[i]) - static_cast<double>(weight) * static_cast<double>(b[i]));
  }
}

/// Scales to length 1 and returns the length before; leaves vectors of no or no finite length alone and returns 0.
double normalise(std::span<float> a) noexcept {
  const double length = std::sqrt(dot(a, a));
  if (!std::isfinite(length) || length == 0) return 0;
  const double scale = 1 / length;
  for (float& value : a) value = static_cast<float>(value * scale);
  return length;
}

/// Whether `a` has a direction of its own beside the orthonormal vectors in `before`; then it has become that
/// direction.
bool orthogonalise(std::span<float> a, std::span<const float> before) noexcept {
  if (normalise(a) == 0) return false;
  for (double remaining = 1, left = 0; left < kSettled; remaining *= left) {
    for (std::size_t start = 0; start < before.size(); start += a.size()) {
      const std::span<const float> other = before.subspan(start, a.size());
      subtract(a, static_cast<float>(dot(a, other)), other);
    }
    left = normalise(a);
    if (remaining * left < kDependent) return false;
  }
  return true;
}

}  // namespace

/// Products of two floats are exact in double precision, so fused multiply-add changes nothing; eight partial sums in a
/// fixed order, so neither does the width of vectors.
double dot(std::span<const float> a, std::span<const float> b) noexcept {
  std::array<double, 8> sums{};
  const std::size_t whole = a.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  for (std::size_t i = whole; i < a.size(); ++i) sums[i - whole] += static_cast<double>(a[i]) * b[i];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

void SharedDraws::fill(std::span<float> out) noexcept {
  // A byte has variance (256² − 1) / 12; four of them added up are bell-shaped.
  constexpr float kScale = 0.0067658F;
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const std::array<std::uint32_t, 4> words = stream_.words(next_++);
    for (std::size_t k = 0; k < std::min<std::size_t>(4, out.size() - i); ++k) {
      const std::uint32_t word = words[k];
      const std::uint32_t sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24);
      out[i + k] = (static_cast<float>(sum) - 510.0F) * kScale;
    }
  }
}

void orthonormalise(std::span<float> vectors, std::size_t length, SharedDraws& draws) noexcept {
  for (std::size_t start = 0; start < vectors.size(); start += length) {
    const std::span<float> vector = vectors.subspan(start, length);
    while (!orthogonalise(vector, vectors.first(start))) draws.fill(vector);
  }
}

}  // namespace gossamer
