#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "topology/topology.hpp"

namespace gossamer {

/// `rank` and its neighbours in a round, in the order of their positions: the same for each of them where
/// expect_groups() has found no fault.
std::vector<int> group_of(const Topology& topology, int rank, std::uint64_t round);

/// Throws `argument` unless in every round of the graph ranks form groups that average: everybody in one hears
/// everybody else in it with equal weights, and nobody outside. `who` asks for that.
void expect_groups(std::string_view who, const Topology& topology);

}  // namespace gossamer
