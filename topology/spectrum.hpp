#pragma once

#include <optional>
#include <span>
#include <vector>

#include "topology/gossip_graph.hpp"

namespace gossamer {

/// Eigenvalues of the Laplacian D − A of a connected undirected graph, next to its smallest, 0.
struct LaplacianRange {
  double second = 0;
  double largest = 0;

  /// The constant a for which I − a·L contracts fastest; 0 for one vertex.
  [[nodiscard]] double best_weight() const noexcept { return largest == 0 ? 0 : 2 / (second + largest); }
  /// The spectral gap of I − weight·L.
  [[nodiscard]] double gap(double weight) const noexcept;
};

/// In closed form.
LaplacianRange laplacian_range(std::span<const Dimension> dimensions);
/// Of the first round, by an eigensolver. Throws `argument` above 2048 vertices.
LaplacianRange laplacian_range(const GossipGraph& graph);

/// Topology::spectral_gap() of a gossip graph: rounds by number and rank. `row_stochastic` or else every round's
/// columns sum to 1.
double gossip_gap(const std::vector<std::vector<Neighbourhood>>& rounds, bool row_stochastic, bool symmetric);
/// Of a symmetric round; nothing above 1024 ranks.
std::optional<double> least_eigenvalue(const std::vector<Neighbourhood>& round);

}  // namespace gossamer
