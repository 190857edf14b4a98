#include <array>
#include <numeric>

#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"rounds", "0", "matchings until they repeat, an integer from 1; 0: twice log2 n, rounded up"},
};

// Everybody meets one other at random, but for one if their number is odd. As in randomised gossip: Boyd, Ghosh,
// Prabhakar, Shah, IEEE Trans. Information Theory 52, 2006.
GossipGraph matching(const Options& options, const Layout& layout) {
  const auto asked = static_cast<std::size_t>(options.integer("rounds", 0, 1 << 20));
  const std::size_t rounds = asked != 0 ? asked : 2 * doublings(layout.size);
  return draw_connected(layout, "more rounds= help", [&](Draw& draw) {
    GossipGraph graph{.size = layout.size,
                      .rounds = std::vector<MixingRound>(rounds),
                      .directed = false,
                      .weighted = true,
                      .on_ranks = false};
    std::vector<std::size_t> order(layout.size);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (MixingRound& round : graph.rounds) {
      draw.shuffle(order);
      for (std::size_t i = 1; i < order.size(); i += 2) link(round, order[i - 1], order[i], 0.5);
    }
    return graph;
  });
}

}  // namespace

TopologyEntry matching_entry() noexcept {
  return {.name = "matching",
          .summary = "gossip: in each round everybody averages with one other, drawn at random",
          .form = "matching[:rounds=R]",
          .keys = kKeys,
          .takes_items = false,
          .make = matching};
}

}  // namespace gossamer
