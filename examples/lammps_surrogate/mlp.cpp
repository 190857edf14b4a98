#include "mlp.hpp"

#include <cmath>
#include <random>

namespace surrogate {

template <typename Scalar>
BasicMlp<Scalar>::BasicMlp(const std::vector<int>& widths, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    BasicLayer<Scalar> layer;
    layer.weight.resize(widths[l + 1], widths[l]);
    const double scale = 1 / std::sqrt(static_cast<double>(widths[l]));
    for (Eigen::Index i = 0; i < layer.weight.size(); ++i) {
      layer.weight.data()[i] = static_cast<Scalar>(scale * normal(random));
    }
    layer.bias.setZero(widths[l + 1]);
    layers_.push_back(std::move(layer));
  }
  activations_.resize(layers_.size() + 1);
}

template <typename Scalar>
const typename BasicMlp<Scalar>::Matrix& BasicMlp<Scalar>::forward(const Matrix& inputs) {
  activations_[0] = inputs;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Matrix& out = activations_[l + 1];
    out.noalias() = layers_[l].weight * activations_[l];
    out.colwise() += layers_[l].bias;
    if (l + 1 < layers_.size()) out = out.array().tanh();
  }
  return activations_.back();
}

template <typename Scalar>
void BasicMlp<Scalar>::backward(const Matrix& output_gradient, Layers& gradients,
                                const std::function<void(int)>& ready) {
  signal_ = output_gradient;
  for (int l = static_cast<int>(layers_.size()) - 1; l >= 0; --l) {
    const auto at = static_cast<std::size_t>(l);
    const Matrix& input = activations_[at];
    gradients[at].weight.noalias() = signal_ * input.transpose();
    gradients[at].bias = signal_.rowwise().sum();
    ready(l);
    if (l == 0) break;
    below_.noalias() = layers_[at].weight.transpose() * signal_;
    below_.array() *= 1 - input.array().square();  // tanh' = 1 - tanh²
    signal_.swap(below_);
  }
}

template <typename Scalar>
std::int64_t BasicMlp<Scalar>::parameters() const {
  std::int64_t count = 0;
  for (const auto& layer : layers_) count += layer.weight.size() + layer.bias.size();
  return count;
}

template class BasicMlp<float>;
template class BasicMlp<double>;

}  // namespace surrogate
