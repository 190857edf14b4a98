#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "topology/draw.hpp"
#include "topology/links.hpp"
#include "topology/topology.hpp"

namespace gossamer {

/// Vertex `to` receives what `from` sends, and gives it `weight`. Two arcs, one each way, make an undirected edge.
struct Arc {
  std::size_t from = 0;
  std::size_t to = 0;
  double weight = 0;

  bool operator==(const Arc&) const = default;
};

/// One round's mixing matrix. Arcs may come in any order; arcs with the same ends add up.
struct MixingRound {
  std::vector<Arc> arcs;
  std::vector<double> self_weights;  ///< by vertex; empty: what a vertex's row lacks to 1
};

/// What an entry of the registry makes of dimensions.
struct Product {
  std::vector<Dimension> dimensions;  ///< strides are filled in by Topology
  std::vector<std::size_t> order{};  ///< where the layout's positions go: the i-th becomes position i; empty: they stay
  std::string reason{};              ///< why these, if the spec and the number of ranks leave a choice
};

/// What an entry of the registry makes when it is no product of dimensions. Vertices are positions 0 … size − 1.
struct GossipGraph {
  std::size_t size = 1;
  std::vector<MixingRound> rounds;  ///< round t of a run is rounds[t mod rounds.size()]; none: nobody talks (one rank)
  bool directed = false;            ///< undirected: every arc comes with its opposite
  bool weighted = false;            ///< otherwise there is one round, and a rule of weights.hpp weighs its arcs
  bool on_ranks = false;            ///< vertices are ranks, not positions
};

/// What the makers of graphs are told. Positions lie host by host.
struct Layout {
  std::size_t size = 1;
  std::span<const std::size_t> ranks_per_host;  ///< in the order of positions
  std::span<const int> order;                   ///< the ranks, by position
  const Links& links;                           ///< between ranks, measured or supposed
  std::uint64_t seed = 0;
  std::string_view spec;  ///< for messages
};

/// Links a and b both ways.
void link(MixingRound& round, std::size_t a, std::size_t b, double weight = 0);
/// Members replace their values by their average: everybody with everybody, weight 1 / members.size().
void average(MixingRound& round, std::span<const std::size_t> members);
/// Rounds that average over the digits of an index into `members`, one digit a round: digit d has factors[d] values,
/// the first varies fastest, and the factors multiply to members.size(). All members are equal after them.
std::vector<MixingRound> average_by_digits(std::span<const std::size_t> members, std::span<const std::size_t> factors);
/// Rounds that a rumour needs to reach `size` ranks when those who know it double in each: ⌈log2 size⌉.
std::size_t doublings(std::size_t size) noexcept;

/// Calls `make` with a new draw of `layout.seed` until the graph is strongly connected over all its rounds; throws
/// `argument` after 100 draws, with `hint` on what to change.
GossipGraph draw_connected(const Layout& layout, std::string_view hint, const std::function<GossipGraph(Draw&)>& make);

/// The vertices that are not in one strong component with vertex 0, over all rounds together; none: connected.
std::vector<std::size_t> cut_off(const GossipGraph& graph);

}  // namespace gossamer
