#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

// Ying et al., "Exponential graph is provably efficient for decentralized deep training", NeurIPS 2021.
GossipGraph exponential(const Options& /*options*/, const Layout& layout) {
  GossipGraph graph{.size = layout.size, .rounds = {{}}, .directed = true, .weighted = false, .on_ranks = false};
  for (std::size_t hop = 1; hop < layout.size; hop *= 2) {
    for (std::size_t i = 0; i < layout.size; ++i) graph.rounds[0].arcs.push_back({i, (i + hop) % layout.size, 0});
  }
  return graph;
}

}  // namespace

TopologyEntry exponential_entry() noexcept {
  return {.name = "exponential",
          .summary = "gossip: everybody sends to the ranks 1, 2, 4, 8, ... further on",
          .form = "exponential",
          .keys = {},
          .takes_items = false,
          .make = exponential};
}

}  // namespace gossamer
