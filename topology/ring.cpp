#include <algorithm>
#include <array>
#include <iomanip>
#include <numeric>

#include "lib/base/error.hpp"
#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/tour.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"order", "hosts",
        "hosts: by host, NUMA node and rank; measured: links are measured first, and costly ones avoided; to 2048 "
        "ranks"},
};

constexpr double kMessageBytes = 64 * 1024;  // about what a step of a ring sends at a time
constexpr double kWorthwhile = 0.9;          // of the cost; less is within what measurements differ by themselves
constexpr std::size_t kMostMeasured = 2048;  // the costs between all pairs take 32 MiB

Costs costs_of(const Layout& layout) {
  Costs costs(layout.size);
  for (std::size_t a = 0; a < layout.size; ++a) {
    for (std::size_t b = a + 1; b < layout.size; ++b) {
      costs.set(a, b, layout.links.between(layout.order[a], layout.order[b]).seconds(kMessageBytes));
    }
  }
  return costs;
}

std::string milliseconds(double seconds) {
  return sentence(std::setprecision(3), seconds * 1e3, " ms");
}

std::string ranks_text(const Tour& tour, const Layout& layout) {
  constexpr std::size_t kShown = 16;
  std::string text;
  for (std::size_t i = 0; i < std::min(tour.size(), kShown); ++i) text += sentence(' ', layout.order[tour[i]]);
  return tour.size() > kShown ? text + " ..." : text;
}

Product by_measured_links(const Layout& layout) {
  if (layout.size > kMostMeasured) {
    fail(Status::argument, "topology ", layout.spec, " is for up to ", kMostMeasured, " ranks, but there are ",
         layout.size);
  }
  const Costs costs = costs_of(layout);
  Tour tour = spanning_tree_tour(costs);
  two_opt(tour, costs);
  Tour by_host(layout.size);
  std::iota(by_host.begin(), by_host.end(), std::size_t{0});
  const double best = cost_of(tour, costs);
  const double natural = cost_of(by_host, costs);
  if (best > kWorthwhile * natural) {
    return {.dimensions = {{.size = layout.size}},
            .reason = "the order of the hosts, where 64 KiB go once round in " + milliseconds(natural) +
                      "; the best order found takes " + milliseconds(best)};
  }
  return {.dimensions = {{.size = layout.size}},
          .order = tour,
          .reason = "the order" + ranks_text(tour, layout) + ", where 64 KiB go once round in " + milliseconds(best) +
                    "; the order of the hosts takes " + milliseconds(natural)};
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
