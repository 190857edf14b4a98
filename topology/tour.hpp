#pragma once

#include <cstddef>
#include <vector>

namespace gossamer {

/// Costs between places 0 … size − 1, at least 0 and alike in both directions.
class Costs {
 public:
  explicit Costs(std::size_t size) : size_(size), costs_(size * size, 0) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void set(std::size_t a, std::size_t b, double cost) noexcept { costs_[a * size_ + b] = costs_[b * size_ + a] = cost; }
  [[nodiscard]] double between(std::size_t a, std::size_t b) const noexcept { return costs_[a * size_ + b]; }

 private:
  std::size_t size_;
  std::vector<double> costs_;
};

/// All places in the order in which they are visited; the last is followed by the first.
using Tour = std::vector<std::size_t>;

double cost_of(const Tour& tour, const Costs& costs);

/// A tour that starts at place 0 and costs at most twice the least if costs obey the triangle inequality: the minimum
/// spanning tree, walked round. Rosenkrantz, Stearns, Lewis, "An analysis of several heuristics for the traveling
/// salesman problem", SIAM J. Comput. 6, 1977.
Tour spanning_tree_tour(const Costs& costs);

/// Reverses stretches of the tour as long as that makes it cheaper (2-opt); place 0 stays first. Quadratic in size, a
/// few times over; decides by the costs alone.
void two_opt(Tour& tour, const Costs& costs);

}  // namespace gossamer
