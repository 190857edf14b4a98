#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace gossamer {

/// A few sums of a vector's values with random signs, the same signs for every vector: the squares of the differences
/// of two vectors' sums estimate ‖x − y‖², unbiased, with a relative standard deviation of √(2/16) at most, and nobody
/// keeps y (Alon, Matias, Szegedy, "The space complexity of approximating the frequency moments", STOC 1996).
class LengthSketch {
 public:
  static constexpr std::size_t kSums = 16;

  LengthSketch() = default;
  explicit LengthSketch(std::span<const float> vector) noexcept;

  /// About ‖x − y‖²; not finite if one of them was not.
  [[nodiscard]] double squared_distance(const LengthSketch& other) const noexcept;

 private:
  std::array<double, kSums> sums_{};
};

}  // namespace gossamer
