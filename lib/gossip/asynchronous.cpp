#include "lib/gossip/asynchronous.hpp"

#include <set>

namespace gossamer {

std::vector<int> neighbours_of(const Topology& topology, int rank, std::vector<Edge> Neighbourhood::*side) {
  std::set<int> ranks;
  for (std::uint64_t round = 0; round < topology.period(); ++round) {
    const Neighbourhood around = topology.at(rank, round);
    for (const Edge& edge : around.*side) ranks.insert(edge.rank);
  }
  return {ranks.begin(), ranks.end()};
}

}  // namespace gossamer
