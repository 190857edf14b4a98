#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/convergence/digits_data.hpp"

namespace gossamer::convergence {

inline constexpr int kGossipRanks = 8;
inline constexpr int kGossipSteps = 220;  ///< 10 epochs

/// What becomes of a step: gradients are averaged before it, models mixed after it, or pushed and pulled, or nothing at
/// all.
inline constexpr std::string_view kAllReduce = "all-reduce";
inline constexpr std::string_view kPush = "push, pull";
inline constexpr std::string_view kAlone = "alone";
[[nodiscard]] constexpr bool pushes(std::string_view mixing) noexcept {
  return mixing.starts_with(kPush);
}

struct GossipRecipe {
  std::string mixing;  ///< kAllReduce, kAlone, kPush and perhaps keys, or a method's spec and further keys
  std::string topology;
  std::string codec;
  int steps = kGossipSteps;
  int checkpoints = 1;  ///< evenly over the steps; the last is at the end
};

/// The ranks' models of one seed at one time.
struct Checkpoint {
  double bytes = 0;         ///< sent until then, by the rank that sent most
  double mean = 0;          ///< accuracy of the mean of all models on the test images, in percent
  double worst = 0;         ///< of the worst rank's model
  double disagreement = 0;  ///< root of the mean of ‖x_i − x̄‖², over ‖x̄‖, in percent
};

/// [seed][checkpoint]
using GossipOutcome = std::vector<std::vector<Checkpoint>>;

/// Trains a classifier with SGD on kGossipRanks ranks, which are threads, for each of three seeds: the same initial
/// weights and batches whatever the recipe. Throws std::runtime_error if a rank fails.
GossipOutcome train(const GossipRecipe& recipe, const Digits& digits);

}  // namespace gossamer::convergence
