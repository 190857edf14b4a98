#pragma once

#include "mlp.hpp"

namespace surrogate {

/// Adam (Kingma and Ba, ICLR 2015) for the layers of a model. Layers may be updated one at a time, in any order, so
/// that one can be stepped while the gradients of others are still on the wire.
class Adam {
 public:
  /// `momentum` is the decay of the first moment, called β1 in the paper.
  Adam(const Mlp& model, double momentum);

  /// Opens the next step, which every layer then takes once.
  void begin_step(double learning_rate);
  void update(int layer, Layer& parameters, const Layer& gradient);

  /// First and second moments, and the number of steps so far: what a checkpoint must keep.
  struct State {
    Mlp::Layers first, second;
    std::int64_t steps = 0;
  };
  [[nodiscard]] State& state() { return state_; }

 private:
  State state_;
  float momentum_;
  float step_size_ = 0;
  float root_scale_ = 0;
};

}  // namespace surrogate
