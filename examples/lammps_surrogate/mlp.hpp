#pragma once

#include <Eigen/Core>

#include <cstdint>
#include <functional>
#include <vector>

namespace surrogate {

/// One fully connected layer, or its gradient. `weight` is outputs × inputs, row-major as Gossamer's tensors are.
template <typename Scalar>
struct BasicLayer {
  Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> weight;
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> bias;
};

/// A multilayer perceptron with tanh between the layers and a linear output. Inputs and outputs are one column per
/// atom.
template <typename Scalar>
class BasicMlp {
 public:
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  using Layers = std::vector<BasicLayer<Scalar>>;

  /// widths: inputs, hidden layers, outputs. Weights are normal with variance 1/inputs, drawn from `seed`.
  BasicMlp(const std::vector<int>& widths, std::uint64_t seed);

  /// Keeps every layer's activations for `backward`.
  const Matrix& forward(const Matrix& inputs);
  /// From ∂loss/∂output of the last `forward`, fills `gradients`, which has the shapes of layers().
  /// Calls ready(l) as soon as gradients[l] is final: last layer first, while the layers before it are still to come.
  void backward(const Matrix& output_gradient, Layers& gradients, const std::function<void(int)>& ready);

  [[nodiscard]] Layers& layers() { return layers_; }
  [[nodiscard]] const Layers& layers() const { return layers_; }
  [[nodiscard]] std::int64_t parameters() const;

 private:
  Layers layers_;
  std::vector<Matrix> activations_;  ///< activations_[l] enters layer l; the last one is the output
  Matrix signal_, below_;  ///< ∂loss/∂(what a layer puts out before its tanh), of this layer and the one below
};

using Layer = BasicLayer<float>;
using Mlp = BasicMlp<float>;

}  // namespace surrogate
