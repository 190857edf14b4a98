#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

// Ghosh, Boyd, Saberi, "Minimizing effective resistance of a graph", SIAM Review 50, 2008, have it as the hard case.
GossipGraph barbell(const Options& /*options*/, const Layout& layout) {
  GossipGraph graph{.size = layout.size, .rounds = {{}}, .directed = false, .weighted = false, .on_ranks = false};
  const std::size_t half = layout.size / 2;
  for (std::size_t i = 0; i < layout.size; ++i) {
    for (std::size_t j = i + 1; j < (i < half ? half : layout.size); ++j) link(graph.rounds[0], i, j);
  }
  if (half > 0) link(graph.rounds[0], half - 1, half);
  return graph;
}

}  // namespace

TopologyEntry barbell_entry() noexcept {
  return {.name = "barbell",
          .summary = "gossip: two complete halves with one edge between them, as two hosts with a thin link",
          .form = "barbell",
          .keys = {},
          .takes_items = false,
          .make = barbell};
}

}  // namespace gossamer
