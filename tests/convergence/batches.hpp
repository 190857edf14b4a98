#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "tests/convergence/digits_data.hpp"

namespace gossamer::convergence {

/// A rank's images in batches, whose order changes with every epoch. Refers to `shard`.
class Batches {
 public:
  Batches(const Images& shard, int size, std::uint32_t seed)
      : shard_(shard),
        random_(seed),
        order_(static_cast<std::size_t>(shard.count())),
        pixels_(shard.pixels.rows(), size),
        labels_(static_cast<std::size_t>(size)) {
    std::iota(order_.begin(), order_.end(), 0);
  }

  /// Begins an epoch.
  void shuffle() { std::shuffle(order_.begin(), order_.end(), random_); }
  /// Makes batch `number` of the epoch the current one.
  void draw(int number) {
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const int image = order_[static_cast<std::size_t>(number) * labels_.size() + i];
      pixels_.col(static_cast<Eigen::Index>(i)) = shard_.pixels.col(image);
      labels_[i] = shard_.labels[static_cast<std::size_t>(image)];
    }
  }
  [[nodiscard]] const Eigen::MatrixXf& pixels() const noexcept { return pixels_; }
  [[nodiscard]] const std::vector<int>& labels() const noexcept { return labels_; }

 private:
  const Images& shard_;
  std::mt19937 random_;
  std::vector<int> order_;
  Eigen::MatrixXf pixels_;
  std::vector<int> labels_;
};

/// Batches of an epoch that every rank has.
inline int batches_of(const Digits& digits, int size) {
  Eigen::Index fewest = digits.shards.front().count();
  for (const Images& shard : digits.shards) fewest = std::min(fewest, shard.count());
  return static_cast<int>(fewest / size);
}

}  // namespace gossamer::convergence
