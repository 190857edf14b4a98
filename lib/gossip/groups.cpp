#include "lib/gossip/groups.hpp"

#include <algorithm>
#include <cmath>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

/// Whether the rank takes the mean of itself and those whom it hears, and they hear it.
bool averages(const Neighbourhood& around) {
  constexpr double kRounding = 1e-9;
  const double share = 1 / static_cast<double>(around.in.size() + 1);
  return std::abs(around.self_weight - share) <= kRounding &&
         std::ranges::equal(around.in, around.out, {}, &Edge::rank, &Edge::rank) &&
         std::ranges::all_of(around.in, [&](const Edge& edge) { return std::abs(edge.weight - share) <= kRounding; });
}

}  // namespace

std::vector<int> group_of(const Topology& topology, int rank, std::uint64_t round) {
  std::vector<int> group = {rank};
  for (const Edge& edge : topology.at(rank, round).in) group.push_back(edge.rank);
  std::ranges::sort(group, {}, [&](int member) { return topology.position(member); });
  return group;
}

void expect_groups(std::string_view who, const Topology& topology) {
  for (std::uint64_t round = 0; round < topology.period(); ++round) {
    for (int rank = 0; rank < topology.size(); ++rank) {
      const std::vector<int> group = group_of(topology, rank, round);
      if (averages(topology.at(rank, round)) && group == group_of(topology, group.front(), round)) continue;
      fail(Status::argument, who, " needs rounds in which groups of ranks average; rank ", rank,
           " and its neighbours in ", "round ", round, " of topology ", topology.spec(),
           " are none: choose moshpit, matching or complete");
    }
  }
}

}  // namespace gossamer
