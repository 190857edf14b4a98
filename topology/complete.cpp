#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

Product complete(const Options& /*options*/, const Layout& layout) {
  return {.dimensions = {{.size = layout.size, .direct = true}}};
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
