#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/spec.hpp"

namespace gossamer {

struct GossipGraph;
struct Layout;
struct Product;
class Links;

/// Where a rank runs. Ranks with equal `host` share memory; `numa` orders them within a host.
struct Place {
  std::uint64_t host = 0;
  int numa = 0;
};

/// Ranks that run one reduce-scatter / all-gather together: those whose positions differ in one digit only.
struct Dimension {
  std::size_t size = 1;    ///< ranks in the group
  std::size_t stride = 1;  ///< distance in positions between neighbours in the group
  bool direct = false;     ///< every member exchanges with every other (two-shot); otherwise a ring
};

/// An edge of the gossip graph with its weight in the mixing matrix.
struct Edge {
  int rank = 0;
  double weight = 0;
};

/// What one rank i needs to know of the mixing matrix W in one round.
struct Neighbourhood {
  std::vector<Edge> in;    ///< whose values this rank receives, with the w_ij of row i; ascending by rank
  std::vector<Edge> out;   ///< who receives this rank's values, with the w_ji that they give to them; ascending by rank
  double self_weight = 1;  ///< w_ii
};

/// What besides the spec and the places decides on the graph.
struct GraphChoice {
  std::string_view weights = "auto";  ///< a rule of weight_rules()
  std::uint64_t seed = 0;             ///< of graphs that are drawn at random
  const Links* links = nullptr;       ///< between the ranks, the same on all; null: Links::supposed(places)
};

/// Who talks to whom: an immutable value, the same on all ranks.
///
/// Ranks are laid out on positions 0 … size − 1 so that ranks of one host, and of one NUMA node within it, are
/// adjacent, unless the spec orders them by measured links; positions are numbers in a mixed radix whose digits are the
/// dimensions (the first varies fastest).
///
/// There are two kinds. A *product* is given by its dimensions; its gossip graph has an edge wherever a step of an
/// exact collective has one, and is the same in every round. A *gossip graph* is given by a sequence of weighted
/// directed graphs, one per round; its exact collectives run along one ring of all positions.
class Topology {
 public:
  /// `text` as in `ring`, `torus:4x8`, `base:k=2`. Throws `argument` for unknown names, keys and weights, for a number
  /// of ranks that the topology does not have, and for graphs and weights that cannot bring all ranks to one value.
  static Topology from_spec(std::string_view text, std::span<const Place> places, const GraphChoice& choice = {});
  /// Whether the links between the ranks should be measured for this spec. Throws as from_spec() does for its keys.
  static bool wants_links(std::string_view text);

  [[nodiscard]] int size() const noexcept { return static_cast<int>(order_.size()); }
  [[nodiscard]] const std::string& spec() const noexcept { return spec_; }
  /// Why these dimensions and this order, in a sentence; empty where the spec leaves no choice.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// Dimensions of size > 1; their sizes multiply to size(). None when size() is 1.
  [[nodiscard]] std::span<const Dimension> dimensions() const noexcept { return dimensions_; }
  [[nodiscard]] std::size_t position(int rank) const noexcept { return position_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] int rank_at(std::size_t position) const noexcept { return order_[position]; }
  /// This rank's digit in a dimension, 0 … dimension.size − 1.
  [[nodiscard]] std::size_t digit(int rank, const Dimension& dimension) const noexcept {
    return position(rank) / dimension.stride % dimension.size;
  }
  /// The rank whose digit in `dimension` is `digit` and whose other digits are those of `rank`.
  [[nodiscard]] int peer(int rank, const Dimension& dimension, std::size_t digit) const noexcept {
    return rank_at(position(rank) + (digit - this->digit(rank, dimension)) * dimension.stride);
  }

  /// Everybody this rank exchanges messages with in any round or collective, ascending; never itself.
  [[nodiscard]] std::vector<int> neighbours(int rank) const;
  /// Rank `rank`'s part of the mixing matrix of gossip round `round`; rounds repeat after period().
  [[nodiscard]] Neighbourhood at(int rank, std::uint64_t round) const;
  /// Rounds after which the graphs repeat, at least 1.
  [[nodiscard]] std::uint64_t period() const noexcept { return rounds_.empty() ? 1 : rounds_.size(); }
  /// Every round's mixing matrix is symmetric.
  [[nodiscard]] bool symmetric() const noexcept { return symmetric_; }
  /// Every round's rows sum to 1: ranks that agree keep their values.
  [[nodiscard]] bool row_stochastic() const noexcept { return row_stochastic_; }
  /// Every round's columns sum to 1: the sum over the ranks does not change. With rows too, the mean is what gossip
  /// ends at; without them, push-sum finds it.
  [[nodiscard]] bool column_stochastic() const noexcept { return column_stochastic_; }
  /// 1 − ρ, where a round brings the ranks closer to consensus by the factor ρ in the long run: the second largest
  /// modulus of an eigenvalue of the mixing matrix, or of the product of a period's matrices to the power 1 / period().
  /// 1 when some number of periods ends in consensus, and for one rank. Products have a closed form, good to a few
  /// 1e-16 at any size. Gossip graphs take an eigensolver up to 512 ranks (1024 if symmetric and always the same), a
  /// second at most; above, an iteration that is within some percent unless the gap is below 0.01, when it may be too
  /// large.
  [[nodiscard]] double spectral_gap() const;
  /// The mixing matrix' smallest eigenvalue, if it is symmetric and always the same; of a gossip graph up to 1024
  /// ranks. Clearly below 0 it makes differences
  /// change their signs from round to round, which momentum does not tolerate.
  [[nodiscard]] std::optional<double> least_eigenvalue() const;
  /// Every rank hears, in time, from every other.
  [[nodiscard]] bool connected() const;
  /// The longest of the shortest ways between two ranks, in edges of the graph of all rounds together.
  [[nodiscard]] int diameter() const;
  /// A number that differs, in all likelihood, between different graphs: ranks compare it.
  [[nodiscard]] std::uint64_t fingerprint() const noexcept { return fingerprint_; }
  /// Graphviz text of the gossip graph, one cluster per host; edges of several rounds are labelled with them.
  [[nodiscard]] std::string to_dot(std::span<const Place> places) const;

 private:
  void place_ranks(std::vector<int> order);
  void set_product(Product product, std::string_view weights);
  void set_dimensions(std::span<const Dimension> dimensions, std::string_view weights);
  void set_graph(GossipGraph graph, std::string_view weights);
  [[nodiscard]] std::vector<int> dimension_neighbours(int rank) const;

  std::string spec_;
  std::string reason_;
  std::vector<Dimension> dimensions_;
  std::vector<int> order_;                          // position → rank
  std::vector<std::size_t> position_;               // rank → position
  double edge_weight_ = 0;                          // of a product: the same on all edges
  std::vector<std::vector<Neighbourhood>> rounds_;  // of a gossip graph: by round and rank
  bool symmetric_ = true;
  bool row_stochastic_ = true;
  bool column_stochastic_ = true;
  std::uint64_t fingerprint_ = 0;
};

/// One line of the registry.
struct TopologyEntry {
  using MakeProduct = Product (*)(const Options& options, const Layout& layout);
  using MakeGraph = GossipGraph (*)(const Options& options, const Layout& layout);

  std::string_view name;
  std::string_view summary;
  std::string_view form;      ///< how the spec is written: "torus:AxB[xC…]"
  std::span<const Key> keys;  ///< that the spec may give
  bool takes_items = false;   ///< what has no key, such as the 4x8 of a torus; make() checks how many and which
  std::variant<MakeProduct, MakeGraph> make;
  bool (*wants_links)(const Options& options) = nullptr;  ///< null: never
};

std::span<const TopologyEntry> topologies() noexcept;
/// Throws `argument`, listing the known ones.
const TopologyEntry& find_topology(std::string_view name);

/// Where the calling thread runs. `host` is a hash of boot id, network namespace and host name: equal on two ranks when
/// they run on one machine in one network namespace. `numa` is the NUMA node (operating system's number) of the core
/// the thread last ran on, by hwloc, so bind ranks before calling; 0 when unknown. Takes some milliseconds (3 on two
/// cores, more on larger machines), any thread, never throws for lack of information.
Place this_place();

}  // namespace gossamer
