#include "tests/convergence/network.hpp"

#include <cmath>
#include <random>

namespace gossamer::convergence {

Layers zeros_like(const Layers& layers) {
  Layers zeros = layers;
  for (Layer& layer : zeros) {
    layer.weight.setZero();
    layer.bias.setZero();
  }
  return zeros;
}

Network::Network(std::span<const int> widths, std::uint32_t seed)
    : activations_(widths.size()), signals_(widths.size() - 1) {
  std::mt19937 random(seed);
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    Layer layer;
    layer.weight.resize(widths[l + 1], widths[l]);
    layer.bias = Eigen::VectorXf::Zero(widths[l + 1]);
    std::normal_distribution<float> normal(0.0F, std::sqrt(2.0F / static_cast<float>(widths[l])));
    for (float& weight : layer.weight.reshaped()) weight = normal(random);
    layers_.push_back(std::move(layer));
  }
}

const Eigen::MatrixXf& Network::forward(const Eigen::MatrixXf& pixels) {
  activations_[0] = pixels;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Eigen::MatrixXf& out = activations_[l + 1];
    out.noalias() = layers_[l].weight * activations_[l];
    out.colwise() += layers_[l].bias;
    if (l + 1 < layers_.size()) out = out.cwiseMax(0.0F);
  }
  return activations_.back();
}

void Network::backpropagate(const Eigen::MatrixXf& pixels, std::span<const int> labels, Layers& gradient) {
  const Eigen::MatrixXf& logits = forward(pixels);
  Eigen::MatrixXf& last = signals_.back();
  last = (logits.rowwise() - logits.colwise().maxCoeff()).array().exp();
  last.array().rowwise() /= last.colwise().sum().array().eval();
  for (Eigen::Index i = 0; i < last.cols(); ++i) last(labels[static_cast<std::size_t>(i)], i) -= 1;
  last /= static_cast<float>(last.cols());
  for (std::size_t l = layers_.size(); l-- > 0;) {
    gradient[l].weight.noalias() = signals_[l] * activations_[l].transpose();
    gradient[l].bias = signals_[l].rowwise().sum();
    if (l == 0) break;
    signals_[l - 1].noalias() = layers_[l].weight.transpose() * signals_[l];
    signals_[l - 1].array() *= (activations_[l].array() > 0.0F).cast<float>();
  }
}

Matrix Network::second_moments(std::size_t layer) const {
  return signals_[layer].cwiseAbs2() * activations_[layer].cwiseAbs2().transpose();
}

double Network::accuracy(const Eigen::MatrixXf& pixels, std::span<const int> labels) {
  const Eigen::MatrixXf& logits = forward(pixels);
  int right = 0;
  for (Eigen::Index i = 0; i < logits.cols(); ++i) {
    Eigen::Index best = 0;
    logits.col(i).maxCoeff(&best);
    right += best == labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(logits.cols());
}

}  // namespace gossamer::convergence
