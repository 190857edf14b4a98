#pragma once

#include <Eigen/Core>

#include <optional>
#include <string>
#include <vector>

namespace gossamer::convergence {

/// Where Debian's python3-sklearn puts them, and what a test without them returns to ctest.
inline constexpr const char* kDigitsFile = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz";
inline constexpr int kSkipped = 77;

/// Images of handwritten digits, one column of 8 × 8 grey values in [0, 1] each, and what they show.
struct Images {
  Eigen::MatrixXf pixels;  ///< 64 × count
  std::vector<int> labels;

  [[nodiscard]] Eigen::Index count() const { return pixels.cols(); }
};

struct Digits {
  std::vector<Images> shards;  ///< to train on, one per rank
  Images test;
};

/// The test set of the "Optical recognition of handwritten digits" data (Alpaydin and Kaynak, UCI, 1998), 1797 images,
/// as Debian's python3-sklearn carries it: every fifth image to test on, the others dealt out to the ranks in turn.
/// Nothing if there is no such file; throws std::runtime_error if it is not what it should be.
std::optional<Digits> load_digits(const std::string& path, int ranks);

/// The same images dealt out by what they show, so that a rank knows one or two digits only.
Digits sorted_by_digit(const Digits& digits);

}  // namespace gossamer::convergence
