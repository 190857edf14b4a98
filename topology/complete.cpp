#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

std::vector<Dimension> complete(const Options& /*options*/, const Layout& layout) {
  return {{.size = layout.size, .direct = true}};
}

}  // namespace

TopologyEntry complete_entry() noexcept {
  return {.name = "complete",
          .summary = "everybody exchanges with everybody in two steps",
          .form = "complete",
          .keys = {},
          .takes_items = false,
          .make = complete};
}

}  // namespace gossamer
