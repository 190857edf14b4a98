#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

GossipGraph path(const Options& /*options*/, const Layout& layout) {
  GossipGraph graph{.size = layout.size, .rounds = {{}}, .directed = false, .weighted = false, .on_ranks = false};
  for (std::size_t i = 1; i < layout.size; ++i) link(graph.rounds[0], i - 1, i);
  return graph;
}

}  // namespace

TopologyEntry path_entry() noexcept {
  return {.name = "path",
          .summary = "gossip: a ring that is cut open; the slowest to mix, for comparison",
          .form = "path",
          .keys = {},
          .takes_items = false,
          .make = path};
}

}  // namespace gossamer
