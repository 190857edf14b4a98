#include "lib/gossip/living.hpp"

namespace gossamer {
namespace {

/// Drops the dead's edges and returns what they weighed.
double drop_dead(std::vector<Edge>& edges, const IsDead& dead) {
  double weight = 0;
  std::erase_if(edges, [&](const Edge& edge) {
    const bool gone = dead(edge.rank);
    if (gone) weight += edge.weight;
    return gone;
  });
  return weight;
}

/// By rank: whether a way along the living leads there from `start`, following edges forwards or backwards.
std::vector<char> reached_from(int start, const Topology& topology, std::vector<Edge> Neighbourhood::*side,
                               const IsDead& dead) {
  std::vector<char> reached(static_cast<std::size_t>(topology.size()));
  std::vector<int> todo = {start};
  reached[static_cast<std::size_t>(start)] = 1;
  while (!todo.empty()) {
    const int rank = todo.back();
    todo.pop_back();
    for (std::uint64_t round = 0; round < topology.period(); ++round) {
      const Neighbourhood around = topology.at(rank, round);
      for (const Edge& edge : around.*side) {
        char& there = reached[static_cast<std::size_t>(edge.rank)];
        if (there != 0 || dead(edge.rank)) continue;
        there = 1;
        todo.push_back(edge.rank);
      }
    }
  }
  return reached;
}

}  // namespace

Neighbourhood among_the_living(Neighbourhood around, Stochastic needs, const IsDead& dead) {
  const double heard = drop_dead(around.in, dead);
  const double given = drop_dead(around.out, dead);
  around.self_weight += needs == Stochastic::columns ? given : heard;
  return around;
}

std::vector<int> cut_off_from(int rank, const Topology& topology, const IsDead& dead) {
  const std::vector<char> hears = reached_from(rank, topology, &Neighbourhood::out, dead);
  const std::vector<char> heard = reached_from(rank, topology, &Neighbourhood::in, dead);
  std::vector<int> others;
  for (int other = 0; other < topology.size(); ++other) {
    const auto index = static_cast<std::size_t>(other);
    if (!dead(other) && (hears[index] == 0 || heard[index] == 0)) others.push_back(other);
  }
  return others;
}

}  // namespace gossamer
