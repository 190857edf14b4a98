#include <array>
#include <utility>

#include "lib/base/error.hpp"
#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/ring_order.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"order", "hosts",
        "hosts: by host, NUMA node and rank; measured: links are measured first, and costly ones avoided; to 2048 "
        "ranks"},
};

Product by_measured_links(const Layout& layout) {
  if (layout.size > kMostOrdered) {
    fail(Status::argument, "topology ", layout.spec, " is for up to ", kMostOrdered, " ranks, but there are ",
         layout.size);
  }
  RingOrder order = ring_order(layout);
  return {.dimensions = {{.size = layout.size}}, .order = std::move(order.tour), .reason = std::move(order.reason)};
}

bool is_measured(const Options& options) {
  return options.choice("order", {"hosts", "measured"}) == 1;
}

Product ring(const Options& options, const Layout& layout) {
  if (is_measured(options)) return by_measured_links(layout);
  return {.dimensions = {{.size = layout.size}}};
}

}  // namespace

TopologyEntry ring_entry() noexcept {
  return {.name = "ring",
          .summary = "one ring of all ranks: two neighbours, least memory, most steps",
          .form = "ring[:order=measured]",
          .keys = kKeys,
          .takes_items = false,
          .make = ring,
          .wants_links = is_measured};
}

}  // namespace gossamer
