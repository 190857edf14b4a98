#pragma once

#include <Eigen/Core>

#include <cstdint>
#include <span>
#include <vector>

namespace gossamer::convergence {

/// Row-major, as the library's tensors are.
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A fully connected layer, or its gradient. `weight` is outputs × inputs.
struct Layer {
  Matrix weight;
  Eigen::VectorXf bias;
};
using Layers = std::vector<Layer>;

Layers zeros_like(const Layers& layers);

/// A multilayer perceptron with ReLU between the layers; its outputs are the logits of the classes.
class Network {
 public:
  /// widths: inputs, hidden layers, classes. Weights are normal with variance 2 / inputs (He et al., ICCV 2015).
  Network(std::span<const int> widths, std::uint32_t seed);

  /// `gradient` <- that of the mean cross-entropy over these images.
  void backpropagate(const Eigen::MatrixXf& pixels, std::span<const int> labels, Layers& gradient);
  /// The sum of squares of what each of the last backpropagate()'s images has put into the gradient of layer's weights.
  [[nodiscard]] Matrix second_moments(std::size_t layer) const;
  /// Share of the images whose largest logit is the right one.
  double accuracy(const Eigen::MatrixXf& pixels, std::span<const int> labels);
  [[nodiscard]] Layers& layers() { return layers_; }

 private:
  const Eigen::MatrixXf& forward(const Eigen::MatrixXf& pixels);

  Layers layers_;
  std::vector<Eigen::MatrixXf> activations_;  ///< [l] enters layer l; the last are the logits
  std::vector<Eigen::MatrixXf> signals_;      ///< [l]: derivatives by what layer l puts out before its ReLU
};

}  // namespace gossamer::convergence
