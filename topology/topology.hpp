#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/spec.hpp"

namespace gossamer {

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

/// One rank's row of the mixing matrix in one round.
struct Neighbourhood {
  std::vector<Edge> in;   ///< whose values this rank receives, ascending by rank
  std::vector<Edge> out;  ///< who receives this rank's values
  double self_weight = 1;
};

/// Who talks to whom: an immutable value, the same on all ranks.
///
/// Ranks are laid out on positions 0 … size − 1 so that ranks of one host, and of one NUMA node within it, are
/// adjacent; positions are numbers in a mixed radix whose digits are the dimensions (the first varies fastest).
class Topology {
 public:
  /// `text` as in `ring`, `torus:4x8`. Throws `argument` for unknown names and shapes that do not multiply to
  /// places.size(), saying both numbers.
  static Topology from_spec(std::string_view text, std::span<const Place> places);

  [[nodiscard]] int size() const noexcept { return static_cast<int>(order_.size()); }
  [[nodiscard]] const std::string& spec() const noexcept { return spec_; }
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

  /// Everybody this rank exchanges messages with, ascending; never itself.
  [[nodiscard]] std::vector<int> neighbours(int rank) const;
  /// Row `rank` of the mixing matrix in gossip round `round`: Metropolis–Hastings weights w_ij = 1 / (1 + max(deg_i,
  /// deg_j)), the rest on itself; symmetric and doubly stochastic. These graphs are the same in every round.
  [[nodiscard]] Neighbourhood at(int rank, std::uint64_t round) const;
  /// 1 − (second largest modulus of an eigenvalue of the mixing matrix); 1 for one rank. In closed form: the absolute
  /// error is a few 1e-16 at any size.
  [[nodiscard]] double spectral_gap() const;
  [[nodiscard]] bool connected() const;
  /// Graphviz text of the graph, one cluster per host.
  [[nodiscard]] std::string to_dot(std::span<const Place> places) const;

 private:
  std::string spec_;
  std::vector<Dimension> dimensions_;
  std::vector<int> order_;             // position → rank
  std::vector<std::size_t> position_;  // rank → position
};

/// One line of the registry.
struct TopologyEntry {
  std::string_view name;
  std::string_view summary;
  std::string_view form;  ///< how the spec is written: "torus:AxB[xC…]"
  /// Sizes and kinds of the dimensions for `size` ranks; strides are filled in by Topology.
  std::vector<Dimension> (*dimensions)(const Options& options, std::size_t size);
};

std::span<const TopologyEntry> topologies() noexcept;

/// Where the calling thread runs. `host` is a hash of boot id, network namespace and host name: equal on two ranks when
/// they run on one machine in one network namespace. `numa` is the NUMA node (operating system's number) of the core
/// the thread last ran on, by hwloc, so bind ranks before calling; 0 when unknown. Takes some milliseconds (3 on two
/// cores, more on larger machines), any thread, never throws for lack of information.
Place this_place();

}  // namespace gossamer
