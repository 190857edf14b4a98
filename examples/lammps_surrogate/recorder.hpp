#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "mlp.hpp"

namespace surrogate {

/// Writes one rank's gradients as they enter the exchange, at a few steps spread over a training: what codecs can be
/// measured on. The README has the file's layout. Throws std::runtime_error naming the file.
class GradientRecorder {
 public:
  /// `steps` is how many the training takes.
  GradientRecorder(const std::string& path, std::int64_t steps);
  /// The gradient of a layer at `step` (the first is 0); kept if the step is one of those to be recorded.
  void layer(std::int64_t step, int layer, const Layer& gradient);

 private:
  void tensor(const std::string& name, const std::vector<std::uint64_t>& dims, const float* values);

  std::string path_;
  std::ofstream out_;
  std::vector<std::int64_t> steps_;  ///< ascending
  std::uint32_t tensors_ = 0;
};

}  // namespace surrogate
