#include <array>
#include <numeric>
#include <optional>
#include <set>

#include "lib/base/error.hpp"
#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"degree", "4", "neighbours of every rank: an integer from 1, below n, and even if n is odd"},
};

using Edges = std::set<std::pair<std::size_t, std::size_t>>;

std::pair<std::size_t, std::size_t> edge_of(std::size_t a, std::size_t b) {
  return {std::min(a, b), std::max(a, b)};
}

// Ends of edges are paired at random; pairs that make a loop or an edge again go back to be paired with others. Nothing
// when those left cannot be paired. Steger, Wormald, "Generating random regular graphs quickly", Combinatorics,
// Probability and Computing 8, 1999.
std::optional<Edges> pair_ends(std::size_t size, std::size_t degree, Draw& draw) {
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < size * degree; ++i) ends.push_back(i % size);
  Edges edges;
  for (int stuck = 0; !ends.empty() && stuck < 50;) {
    draw.shuffle(ends);
    std::vector<std::size_t> left;
    for (std::size_t i = 1; i < ends.size(); i += 2) {
      if (ends[i - 1] != ends[i] && edges.insert(edge_of(ends[i - 1], ends[i])).second) continue;
      left.push_back(ends[i - 1]);
      left.push_back(ends[i]);
    }
    stuck = left.size() < ends.size() ? 0 : stuck + 1;
    ends = std::move(left);
  }
  if (!ends.empty()) return std::nullopt;
  return edges;
}

GossipGraph draw_regular(std::size_t size, std::size_t degree, Draw& draw) {
  // A dense graph is what a sparse one leaves out.
  const bool inverted = 2 * degree > size - 1;
  std::optional<Edges> edges;
  while (!edges) edges = pair_ends(size, inverted ? size - 1 - degree : degree, draw);
  GossipGraph graph{.size = size, .rounds = {{}}, .directed = false, .weighted = false, .on_ranks = false};
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = i + 1; j < size; ++j) {
      if (edges->contains({i, j}) != inverted) link(graph.rounds[0], i, j);
    }
  }
  return graph;
}

GossipGraph random_regular(const Options& options, const Layout& layout) {
  const auto degree = static_cast<std::size_t>(options.integer("degree", 1, INT32_MAX));
  if (layout.size == 1) return {};
  if (degree >= layout.size || degree * layout.size % 2 != 0) {
    fail(Status::argument, "topology ", layout.spec, ": no graph of ", layout.size, " ranks has degree ", degree,
         " everywhere; degree is below the number of ranks, and one of the two is even");
  }
  return draw_connected(layout, "a larger degree= helps",
                        [&](Draw& draw) { return draw_regular(layout.size, degree, draw); });
}

}  // namespace

TopologyEntry random_regular_entry() noexcept {
  return {.name = "random-regular",
          .summary = "gossip: a random graph in which everybody has as many neighbours",
          .form = "random-regular[:degree=D]",
          .keys = kKeys,
          .takes_items = false,
          .make = random_regular};
}

}  // namespace gossamer
