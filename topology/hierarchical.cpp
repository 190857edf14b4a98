#include <algorithm>
#include <array>

#include "lib/base/error.hpp"
#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"local", "0", "ranks of a group, an integer from 1 that divides n; 0: those of a host, the same on all hosts"},
};

[[noreturn]] void refuse_uneven(const Layout& layout) {
  constexpr std::size_t kShown = 8;
  std::string counts;
  for (std::size_t host = 0; host < std::min(layout.ranks_per_host.size(), kShown); ++host) {
    counts += sentence(host == 0 ? "" : ", ", layout.ranks_per_host[host]);
  }
  if (layout.ranks_per_host.size() > kShown) counts += ", ...";
  fail(Status::argument, "topology ", layout.spec, " needs as many ranks on each host, but the ",
       layout.ranks_per_host.size(), " hosts have ", counts, "; hierarchical:local=K makes groups of K ranks, where K ",
       "divides ", layout.size);
}

Product hierarchical(const Options& options, const Layout& layout) {
  auto local = static_cast<std::size_t>(options.integer("local", 0, INT32_MAX));
  if (local == 0) {
    local = layout.ranks_per_host.front();
    const auto differs = [local](std::size_t count) { return count != local; };
    if (std::any_of(layout.ranks_per_host.begin(), layout.ranks_per_host.end(), differs)) refuse_uneven(layout);
  }
  if (layout.size % local != 0) {
    fail(Status::argument, "topology ", layout.spec, ": ", layout.size, " ranks do not make groups of ", local);
  }
  return {.dimensions = {{.size = local}, {.size = layout.size / local}}};
}

}  // namespace

TopologyEntry hierarchical_entry() noexcept {
  return {.name = "hierarchical",
          .summary = "a ring within each host, and rings across hosts: a torus that takes its shape from the hosts",
          .form = "hierarchical[:local=K]",
          .keys = kKeys,
          .takes_items = false,
          .make = hierarchical};
}

}  // namespace gossamer
