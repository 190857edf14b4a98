#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

GossipGraph star(const Options& /*options*/, const Layout& layout) {
  GossipGraph graph{.size = layout.size, .rounds = {{}}, .directed = false, .weighted = false, .on_ranks = false};
  for (std::size_t i = 1; i < layout.size; ++i) link(graph.rounds[0], 0, i);
  return graph;
}

}  // namespace

TopologyEntry star_entry() noexcept {
  return {.name = "star",
          .summary = "gossip: one rank in the middle; for comparison",
          .form = "star",
          .keys = {},
          .takes_items = false,
          .make = star};
}

}  // namespace gossamer
