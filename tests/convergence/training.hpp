#pragma once

#include <string>
#include <vector>

#include "tests/convergence/digits_data.hpp"

namespace gossamer::convergence {

inline constexpr int kRanks = 4;

/// Who keeps the momentum.
enum class Momentum { none, optimiser, codec };

struct Recipe {
  std::string codec;  ///< spec
  Momentum momentum = Momentum::none;
  double rate = 1;   ///< learning rate of compressed tensors over the dense one's
  int inverted = 0;  ///< ranks, the first ones, that send the opposite of their gradients of compressed tensors
  int epochs = 10;
};

struct Outcome {
  std::vector<double> accuracy;  ///< on the test images, one per seed, in percent
  double wire_bytes = 0;         ///< sent by all ranks for the tensors that are not too small to be compressed
};

/// Trains a classifier with SGD on kRanks ranks, which are threads, for each of three seeds: the same initial weights,
/// batches and learning rates whatever the codec. Throws std::runtime_error if a rank fails.
Outcome train(const Recipe& recipe, const Digits& digits);

}  // namespace gossamer::convergence
