#include <algorithm>
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/erdos_renyi_generator.hpp>
#include <cmath>

#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"p", "0", "probability of each edge, a number from 0 to 1; 0: 2 ln n / n, twice what connects a large graph"},
};

// Gilbert, "Random graphs", Ann. Math. Statist. 30, 1959; Erdős and Rényi, "On random graphs I", 1959.
GossipGraph erdos_renyi(const Options& options, const Layout& layout) {
  const double asked = options.real("p", 0, 1);
  if (layout.size == 1) return {};
  const auto size = static_cast<double>(layout.size);
  const double p = asked > 0 ? asked : std::min(1.0, 2 * std::log(size) / size);
  return draw_connected(layout, "a larger p= helps", [&](Draw& draw) {
    using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS>;
    using Iterator = boost::sorted_erdos_renyi_iterator<Draw, Graph>;
    GossipGraph graph{.size = layout.size, .rounds = {{}}, .directed = false, .weighted = false, .on_ranks = false};
    if (p >= 1) {  // the generator takes the logarithm of 1 - p
      std::vector<std::size_t> all(layout.size);
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
      average(graph.rounds[0], all);
      return graph;
    }
    for (Iterator edge(draw, layout.size, p), end; edge != end; ++edge) {
      link(graph.rounds[0], edge->first, edge->second);
    }
    return graph;
  });
}

}  // namespace

TopologyEntry erdos_renyi_entry() noexcept {
  return {.name = "erdos-renyi",
          .summary = "gossip: each edge exists with probability p; drawn again until connected",
          .form = "erdos-renyi[:p=P]",
          .keys = kKeys,
          .takes_items = false,
          .make = erdos_renyi};
}

}  // namespace gossamer
