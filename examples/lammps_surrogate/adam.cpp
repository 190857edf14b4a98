#include "adam.hpp"

#include <cmath>

namespace surrogate {
namespace {

constexpr float second_decay = 0.999F;
constexpr float epsilon = 1e-8F;

using Values = Eigen::Map<Eigen::ArrayXf>;

}  // namespace

Adam::Adam(const Mlp& model, double momentum) : momentum_(static_cast<float>(momentum)) {
  state_.first = model.layers();
  for (Layer& layer : state_.first) {
    layer.weight.setZero();
    layer.bias.setZero();
  }
  state_.second = state_.first;
}

void Adam::begin_step(double learning_rate) {
  const auto t = static_cast<double>(++state_.steps);
  step_size_ = static_cast<float>(learning_rate / (1 - std::pow(momentum_, t)));
  root_scale_ = static_cast<float>(1 / std::sqrt(1 - std::pow(second_decay, t)));
}

void Adam::update(int layer, Layer& parameters, const Layer& gradient) {
  const auto step = [this](float* values, const float* g, float* first, float* second, Eigen::Index count) {
    const Eigen::Map<const Eigen::ArrayXf> slope(g, count);
    Values x(values, count), m(first, count), v(second, count);
    m = momentum_ * m + (1 - momentum_) * slope;
    v = second_decay * v + (1 - second_decay) * slope.square();
    x -= step_size_ * m / (root_scale_ * v.sqrt() + epsilon);
  };
  Layer& m = state_.first[static_cast<std::size_t>(layer)];
  Layer& v = state_.second[static_cast<std::size_t>(layer)];
  step(parameters.weight.data(), gradient.weight.data(), m.weight.data(), v.weight.data(), m.weight.size());
  step(parameters.bias.data(), gradient.bias.data(), m.bias.data(), v.bias.data(), m.bias.size());
}

}  // namespace surrogate
