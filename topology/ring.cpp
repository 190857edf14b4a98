#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

std::vector<Dimension> ring(const Options& /*options*/, const Layout& layout) {
  return {{.size = layout.size}};
}

}  // namespace

TopologyEntry ring_entry() noexcept {
  return {.name = "ring",
          .summary = "one ring of all ranks: two neighbours, least memory, most steps",
          .form = "ring",
          .keys = {},
          .takes_items = false,
          .make = ring};
}

}  // namespace gossamer
