#include "topology/topology.hpp"

#include <algorithm>
#include <climits>
#include <map>
#include <numeric>
#include <tuple>

#include "lib/base/error.hpp"
#include "lib/base/philox.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/spectrum.hpp"
#include "topology/weights.hpp"

namespace gossamer {
namespace {

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

// Ranks on each host, in the order of positions.
std::vector<std::size_t> ranks_per_host(std::span<const Place> places, std::span<const int> order) {
  std::vector<std::size_t> counts;
  for (std::size_t position = 0; position < order.size(); ++position) {
    const auto host = [&](std::size_t at) { return places[static_cast<std::size_t>(order[at])].host; };
    if (position == 0 || host(position) != host(position - 1)) counts.push_back(0);
    ++counts.back();
  }
  return counts;
}

Options options_of(std::string_view text, const Spec& spec, const TopologyEntry& entry) {
  if (!entry.takes_items && entry.keys.empty() && !spec.items.empty()) {
    fail(Status::argument, "topology ", entry.name, " takes no parameters; '", text, "' is written ", entry.form);
  }
  return {"topology " + spec.name, spec, entry.keys, entry.takes_items ? spec.items.size() : 0};
}

std::uint64_t fingerprint_of(std::span<const Dimension> dimensions, std::span<const int> order) {
  std::string text;
  for (const Dimension& dimension : dimensions) text += sentence(dimension.size, dimension.direct ? " direct " : " ");
  for (const int rank : order) text += sentence(rank, ' ');
  return fnv1a(text.data(), text.size());
}

}  // namespace

Topology Topology::from_spec(std::string_view text, std::span<const Place> places, const GraphChoice& choice) {
  const Spec spec = Spec::parse(text);
  const TopologyEntry& entry = find_topology(spec.name);
  const Options options = options_of(text, spec, entry);
  check_weight_rule(choice.weights);
  if (places.empty() || places.size() > INT_MAX) {
    fail(Status::argument, "topology ", text, " is asked for ", places.size(), " ranks; there are 1 to ", INT_MAX);
  }

  Topology topology;
  topology.spec_ = text;
  topology.place_ranks(order_of(places));
  const std::vector<int> order = topology.order_;
  const std::vector<std::size_t> hosts = ranks_per_host(places, order);
  const Links supposed = Links::supposed(places);
  const Links& links = choice.links != nullptr ? *choice.links : supposed;
  const Layout layout{places.size(), hosts, order, links, choice.seed, text};
  if (const auto* make = std::get_if<TopologyEntry::MakeProduct>(&entry.make)) {
    topology.set_product((*make)(options, layout), choice.weights);
  } else {
    topology.set_dimensions(std::vector<Dimension>{{.size = places.size()}}, "auto");
    topology.set_graph(std::get<TopologyEntry::MakeGraph>(entry.make)(options, layout), choice.weights);
  }
  return topology;
}

bool Topology::wants_links(std::string_view text) {
  const Spec spec = Spec::parse(text);
  const TopologyEntry& entry = find_topology(spec.name);
  const Options options = options_of(text, spec, entry);
  return entry.wants_links != nullptr && entry.wants_links(options);
}

void Topology::place_ranks(std::vector<int> order) {
  order_ = std::move(order);
  position_.resize(order_.size());
  for (std::size_t position = 0; position < order_.size(); ++position) {
    position_[static_cast<std::size_t>(order_[position])] = position;
  }
}

void Topology::set_product(Product product, std::string_view weights) {
  if (!product.order.empty()) {
    std::vector<int> order;
    for (const std::size_t position : product.order) order.push_back(order_[position]);
    place_ranks(std::move(order));
  }
  set_dimensions(product.dimensions, weights);
  reason_ = std::move(product.reason);
  if (!reason_.empty()) fingerprint_ = fingerprint_of(dimensions_, order_);
}

// Every rank has the same degree, so that most rules give all edges the weight 1 / (1 + degree).
void Topology::set_dimensions(std::span<const Dimension> dimensions, std::string_view weights) {
  if (weights == "given") {
    fail(Status::argument, "weights=given, but topology ", spec_,
         " comes without weights; valid are auto, metropolis, ", "uniform, out-uniform, max-degree, laplacian, lazy");
  }
  std::size_t stride = 1;
  for (Dimension dimension : dimensions) {
    dimension.stride = stride;
    stride *= dimension.size;
    if (dimension.size > 1) dimensions_.push_back(dimension);
  }
  if (stride != order_.size()) {
    fail(Status::internal, "topology ", spec_, " has ", stride, " places for ", order_.size(), " ranks");
  }
  edge_weight_ = weights == "laplacian" ? laplacian_range(dimensions_).best_weight()
                                        : 1 / (1 + static_cast<double>(dimension_neighbours(0).size()));
  if (weights == "lazy") edge_weight_ /= 2;
}

std::vector<int> Topology::dimension_neighbours(int rank) const {
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

std::vector<int> Topology::neighbours(int rank) const {
  std::vector<int> ranks = dimension_neighbours(rank);
  for (const std::vector<Neighbourhood>& round : rounds_) {
    const Neighbourhood& around = round[static_cast<std::size_t>(rank)];
    for (const Edge& edge : around.in) ranks.push_back(edge.rank);
    for (const Edge& edge : around.out) ranks.push_back(edge.rank);
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

Neighbourhood Topology::at(int rank, std::uint64_t round) const {
  if (!rounds_.empty()) return rounds_[round % rounds_.size()][static_cast<std::size_t>(rank)];
  Neighbourhood row;
  for (const int other : dimension_neighbours(rank)) row.in.push_back({other, edge_weight_});
  row.out = row.in;
  row.self_weight = 1 - static_cast<double>(row.in.size()) * edge_weight_;
  return row;
}

double Topology::spectral_gap() const {
  if (!rounds_.empty()) return gossip_gap(rounds_, row_stochastic_, symmetric_);
  return dimensions_.empty() ? 1 : laplacian_range(dimensions_).gap(edge_weight_);
}

std::optional<double> Topology::least_eigenvalue() const {
  if (rounds_.empty()) return 1 - edge_weight_ * laplacian_range(dimensions_).largest;
  if (!symmetric_ || rounds_.size() > 1) return std::nullopt;
  return gossamer::least_eigenvalue(rounds_.front());
}

}  // namespace gossamer
