#include "topology/ring_order.hpp"

#include <algorithm>
#include <iomanip>
#include <numeric>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

constexpr double kMessageBytes = 64 * 1024;  // about what a step of a ring sends at a time
constexpr double kWorthwhile = 0.9;          // of the cost; less is within what measurements differ by themselves

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

}  // namespace

RingOrder ring_order(const Layout& layout) {
  const Costs costs = costs_of(layout);
  Tour tour = spanning_tree_tour(costs);
  two_opt(tour, costs);
  Tour by_host(layout.size);
  std::iota(by_host.begin(), by_host.end(), std::size_t{0});
  const double best = cost_of(tour, costs);
  const double natural = cost_of(by_host, costs);
  if (best > kWorthwhile * natural) {
    return {{},
            "the order of the hosts, where 64 KiB go once round in " + milliseconds(natural) +
                "; the best order found takes " + milliseconds(best)};
  }
  return {tour, "the order" + ranks_text(tour, layout) + ", where 64 KiB go once round in " + milliseconds(best) +
                    "; the order of the hosts takes " + milliseconds(natural)};
}

}  // namespace gossamer
