#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/small_world_generator.hpp>
#include <set>

#include "lib/base/error.hpp"
#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"k", "4", "neighbours on the ring before edges move: an even integer from 2, below n"},
    Key{"p", "0.1", "probability that an edge moves its far end to a random rank: a number from 0 to 1"},
};

// Watts, Strogatz, "Collective dynamics of small-world networks", Nature 393, 1998.
GossipGraph small_world(const Options& options, const Layout& layout) {
  const auto k = static_cast<std::size_t>(options.integer("k", 2, INT32_MAX));
  const double p = options.real("p", 0, 1);
  if (layout.size == 1) return {};
  if (k % 2 != 0 || k >= layout.size) {
    fail(Status::argument, "topology ", layout.spec, ": k=", k, " with ", layout.size,
         " ranks is not valid; k is even and below the number of ranks");
  }
  return draw_connected(layout, "a larger k= helps", [&](Draw& draw) {
    using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS>;
    using Iterator = boost::small_world_iterator<Draw, Graph>;
    std::set<std::pair<std::size_t, std::size_t>> edges;
    // A far end that would land among the k nearest is drawn again, for ever if there are no others.
    for (Iterator edge(draw, layout.size, k, k + 1 < layout.size ? p : 0), end; edge != end; ++edge) {
      edges.insert({std::min(edge->first, edge->second), std::max(edge->first, edge->second)});
    }
    GossipGraph graph{.size = layout.size, .rounds = {{}}, .directed = false, .weighted = false, .on_ranks = false};
    for (const auto& [a, b] : edges) link(graph.rounds[0], a, b);
    return graph;
  });
}

}  // namespace

TopologyEntry small_world_entry() noexcept {
  return {.name = "small-world",
          .summary = "gossip: a ring of k neighbours, some edges of which lead far away",
          .form = "small-world[:k=K,p=P]",
          .keys = kKeys,
          .takes_items = false,
          .make = small_world};
}

}  // namespace gossamer
