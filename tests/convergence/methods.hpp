#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tests/convergence/training.hpp"

namespace gossamer::convergence {

/// How a codec is trained with, and how good it has to be.
struct Method {
  std::string_view spec;
  Momentum momentum;
  double rate;              ///< learning rate of compressed tensors over the dense one's
  double gap;               ///< accuracy that it may lose against dense SGD of the same kind, in points
  std::string_view reason;  ///< for all of this
  int inverted = 0;         ///< ranks that send the opposite of their gradients

  /// Its codec's name in the registry.
  [[nodiscard]] std::string_view codec() const { return spec.substr(0, spec.find(':')); }
  [[nodiscard]] std::string label() const;
};

/// Of a method that is shown for what it lacks.
inline constexpr double kNotJudged = 100;

/// At least one for every codec of the library.
std::span<const Method> methods() noexcept;

/// The first spec ends with less accuracy than the second, by at least so many points.
struct Order {
  std::string_view worse, better;
  double points;
  std::string_view reason;
};

std::span<const Order> orders() noexcept;

}  // namespace gossamer::convergence
