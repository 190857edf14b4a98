#pragma once

#include <span>
#include <string_view>

#include "tests/convergence/gossip_training.hpp"

namespace gossamer::convergence {

/// Stands for a directed graph on which ranks differ in how many they send to.
inline constexpr std::string_view kUneven = "uneven";

/// Of what is shown, and not judged.
inline constexpr double kAnything = 100;

/// How good a method has to be, in points of accuracy, means over the seeds.
struct Margins {
  double mean = kAnything;    ///< that the mean of the models may lose against a dense all-reduce of as many steps
  double worst = kAnything;   ///< that the worst rank's model may lose
  double sorted = kAnything;  ///< that the mean of the models may lose where ranks know one or two digits only
  double lead = -kAnything;   ///< that the mean of the models is ahead of a dense all-reduce of as many bytes
};

/// A way to train together.
struct GossipMethod {
  std::string_view mixing;
  std::string_view topology;
  std::string_view codec;
  Margins margins;
  std::string_view reason;  ///< for the margins
};

/// The first one is the dense all-reduce.
std::span<const GossipMethod> gossip_methods() noexcept;

}  // namespace gossamer::convergence
