// A gossip graph becomes rows of mixing matrices, by rank, that are known to be sound.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "lib/base/error.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/topology.hpp"
#include "topology/weights.hpp"

namespace gossamer {
namespace {

constexpr double kRounding = 1e-9;  // of a sum of weights, which may have been written with ten digits

// In order, each once.
void tidy(GossipGraph& graph) {
  if (graph.rounds.empty()) graph.rounds.emplace_back();
  for (MixingRound& round : graph.rounds) {
    std::sort(round.arcs.begin(), round.arcs.end(),
              [](const Arc& a, const Arc& b) { return std::tie(a.to, a.from) < std::tie(b.to, b.from); });
    std::vector<Arc> once;
    for (const Arc& arc : round.arcs) {
      if (!once.empty() && once.back().to == arc.to && once.back().from == arc.from) {
        once.back().weight += arc.weight;
      } else {
        once.push_back(arc);
      }
    }
    round.arcs = std::move(once);
  }
}

std::uint64_t hash(std::uint64_t so_far, const void* data, std::size_t bytes) {
  return fnv1a(static_cast<const char*>(data), bytes, so_far);
}

std::uint64_t fingerprint_of(const GossipGraph& graph) {
  std::uint64_t sum = hash(graph.size, &graph.directed, sizeof graph.directed);
  for (const MixingRound& round : graph.rounds) {
    const std::size_t arcs = round.arcs.size();
    sum = hash(sum, &arcs, sizeof arcs);
    for (const Arc& arc : round.arcs) sum = hash(sum, &arc, sizeof arc);
    sum = hash(sum, round.self_weights.data(), round.self_weights.size() * sizeof(double));
  }
  return sum;
}

std::vector<Neighbourhood> by_rank(const MixingRound& round, std::span<const int> rank_of) {
  std::vector<Neighbourhood> ranks(rank_of.size());
  for (const Arc& arc : round.arcs) {
    const int from = rank_of[arc.from];
    const int to = rank_of[arc.to];
    ranks[static_cast<std::size_t>(to)].in.push_back({from, arc.weight});
    ranks[static_cast<std::size_t>(from)].out.push_back({to, arc.weight});
  }
  const auto ascending = [](const Edge& a, const Edge& b) { return a.rank < b.rank; };
  for (std::size_t vertex = 0; vertex < rank_of.size(); ++vertex) {
    Neighbourhood& around = ranks[static_cast<std::size_t>(rank_of[vertex])];
    std::sort(around.in.begin(), around.in.end(), ascending);
    std::sort(around.out.begin(), around.out.end(), ascending);
    double rest = 1;
    for (const Edge& edge : around.in) rest -= edge.weight;
    around.self_weight = round.self_weights.empty() ? rest : round.self_weights[vertex];
  }
  return ranks;
}

// What a row or a column does not sum to.
struct Excess {
  std::size_t rank = 0;
  double sum = 1;

  explicit operator bool() const { return std::abs(sum - 1) > kRounding; }
};

Excess find_excess(const std::vector<Neighbourhood>& round, std::vector<Edge> Neighbourhood::*edges) {
  for (std::size_t rank = 0; rank < round.size(); ++rank) {
    Excess excess{rank, round[rank].self_weight};
    for (const Edge& edge : round[rank].*edges) excess.sum += edge.weight;
    if (excess) return excess;
  }
  return {};
}

bool is_symmetric(const std::vector<Neighbourhood>& round) {
  return std::all_of(round.begin(), round.end(), [](const Neighbourhood& around) {
    return std::equal(around.in.begin(), around.in.end(), around.out.begin(), around.out.end(),
                      [](const Edge& a, const Edge& b) { return a.rank == b.rank && a.weight == b.weight; });
  });
}

std::string list_ranks(std::span<const std::size_t> vertices, std::span<const int> rank_of) {
  constexpr std::size_t kShown = 8;
  std::string text = vertices.size() == 1 ? "rank" : "ranks";
  for (std::size_t i = 0; i < std::min(vertices.size(), kShown); ++i) {
    text += sentence(i == 0 ? " " : ", ", rank_of[vertices[i]]);
  }
  if (vertices.size() > kShown) text += sentence(" and ", vertices.size() - kShown, " more");
  return text;
}

}  // namespace

void Topology::set_graph(GossipGraph graph, std::string_view weights) {
  std::vector<int> rank_of = order_;
  if (graph.on_ranks) std::sort(rank_of.begin(), rank_of.end());
  tidy(graph);
  if (const std::vector<std::size_t> lost = cut_off(graph); !lost.empty()) {
    fail(Status::argument, "topology ", spec_, " is not connected: ", list_ranks(lost, rank_of), " and rank ",
         rank_of[0], " cannot all hear from each other");
  }
  fingerprint_ = fingerprint_of(graph);
  set_weights(graph, weights, spec_);
  Excess row;
  Excess column;
  for (const MixingRound& round : graph.rounds) {
    rounds_.push_back(by_rank(round, rank_of));
    symmetric_ = symmetric_ && is_symmetric(rounds_.back());
    if (!row) row = find_excess(rounds_.back(), &Neighbourhood::in);
    if (!column) column = find_excess(rounds_.back(), &Neighbourhood::out);
  }
  row_stochastic_ = !row;
  column_stochastic_ = !column;
  if (row && column) {
    fail(Status::argument, "topology ", spec_, ": what rank ", row.rank, " takes in sums to ", row.sum,
         " and what rank ", column.rank, " gives sums to ", column.sum,
         "; of a mixing matrix all rows or all columns sum to 1");
  }
}

}  // namespace gossamer
