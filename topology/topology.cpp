#include "topology/topology.hpp"

#include <algorithm>
#include <climits>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <tuple>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

const TopologyEntry& find_entry(std::string_view name) {
  std::vector<std::string_view> known;
  for (const TopologyEntry& entry : topologies()) {
    if (entry.name == name) return entry;
    known.push_back(entry.name);
  }
  refuse_unknown("topology", name, known);
}

// Position → rank. Hosts come in the order of their lowest ranks, which depends on no hash value: the same placement
// gives the same ring on every machine.
std::vector<int> order_of(std::span<const Place> places) {
  std::map<std::uint64_t, int> lowest_rank;
  std::vector<int> order(places.size());
  std::iota(order.begin(), order.end(), 0);
  for (int rank : order) lowest_rank.try_emplace(places[static_cast<std::size_t>(rank)].host, rank);
  const auto key = [&](int rank) {
    const Place& place = places[static_cast<std::size_t>(rank)];
    return std::tuple(lowest_rank.at(place.host), place.numa, rank);
  };
  std::sort(order.begin(), order.end(), [&](int a, int b) { return key(a) < key(b); });
  return order;
}

std::size_t degree(const Dimension& dimension) {
  return dimension.direct ? dimension.size - 1 : std::min<std::size_t>(dimension.size - 1, 2);
}

// Eigenvalues of a dimension's adjacency matrix next to the largest, which is its degree. A complete graph has −1
// beside its degree; a ring of p has 2·cos(2πk/p), and a ring of two is a complete graph (one edge, not two).
struct Extremes {
  double second = 0;
  double lowest = 0;
};

Extremes extremes(const Dimension& dimension) {
  if (dimension.direct || dimension.size == 2) return {-1, -1};
  const double angle = 2 * std::numbers::pi / static_cast<double>(dimension.size);
  return {2 * std::cos(angle), 2 * std::cos(angle * static_cast<double>(dimension.size / 2))};
}

}  // namespace

Topology Topology::from_spec(std::string_view text, std::span<const Place> places) {
  const Spec spec = Spec::parse(text);
  const TopologyEntry& entry = find_entry(spec.name);
  if (places.empty() || places.size() > INT_MAX) {
    fail(Status::argument, "topology ", text, " is asked for ", places.size(), " ranks; there are 1 to ", INT_MAX);
  }
  if (entry.form == entry.name && !spec.items.empty()) {
    fail(Status::argument, "topology ", entry.name, " takes no parameters; '", text, "' is written ", entry.form);
  }
  const Options options("topology " + spec.name, spec, {}, spec.items.size());

  Topology topology;
  topology.spec_ = text;
  topology.order_ = order_of(places);
  topology.position_.resize(places.size());
  for (std::size_t position = 0; position < places.size(); ++position) {
    topology.position_[static_cast<std::size_t>(topology.order_[position])] = position;
  }
  std::size_t stride = 1;
  for (Dimension dimension : entry.dimensions(options, places.size())) {
    dimension.stride = stride;
    stride *= dimension.size;
    if (dimension.size > 1) topology.dimensions_.push_back(dimension);
  }
  if (stride != places.size()) {
    fail(Status::internal, "topology ", text, " has ", stride, " places for ", places.size(), " ranks");
  }
  return topology;
}

std::vector<int> Topology::neighbours(int rank) const {
  std::vector<int> ranks;
  for (const Dimension& dimension : dimensions_) {
    const std::size_t mine = digit(rank, dimension);
    const std::size_t last = dimension.size - 1;
    for (std::size_t step = 1; step <= last; ++step) {
      if (dimension.direct || step == 1 || step == last) {
        ranks.push_back(peer(rank, dimension, (mine + step) % dimension.size));
      }
    }
  }
  // Dimensions never share a neighbour, as each changes a digit that the others leave alone.
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

Neighbourhood Topology::at(int rank, std::uint64_t /*round*/) const {
  const std::vector<int> ranks = neighbours(rank);
  // Every rank has the same degree in every dimension, so 1 / (1 + max(deg_i, deg_j)) is one number for all edges.
  const double weight = 1 / (1 + static_cast<double>(ranks.size()));
  Neighbourhood row;
  for (int other : ranks) row.in.push_back({other, weight});
  row.out = row.in;
  row.self_weight = 1 - static_cast<double>(ranks.size()) * weight;
  return row;
}

// The mixing matrix is (I + Σ_d A_d) / (1 + degree), where A_d acts on digit d alone. So the A_d commute, and the
// eigenvalues of the sum are all sums of one eigenvalue of each: the second largest leaves one dimension only.
double Topology::spectral_gap() const {
  double total_degree = 0;
  double drop = 0;
  double lowest = 1;
  for (const Dimension& dimension : dimensions_) {
    const auto top = static_cast<double>(degree(dimension));
    const Extremes values = extremes(dimension);
    drop = drop == 0 ? top - values.second : std::min(drop, top - values.second);
    total_degree += top;
    lowest += values.lowest;
  }
  if (dimensions_.empty()) return 1;
  const double second = 1 + total_degree - drop;
  return 1 - std::max(std::abs(second), std::abs(lowest)) / (1 + total_degree);
}

}  // namespace gossamer
