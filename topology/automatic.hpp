#pragma once

#include <span>
#include <string>
#include <vector>

#include "topology/topology.hpp"

namespace gossamer {

/// What topology=auto takes for ranks at these places, and why.
struct AutomaticChoice {
  std::vector<Dimension> dimensions;
  std::string spec;    ///< what could have been written instead
  std::string reason;  ///< "all 8 ranks are on one host"
};

/// The first rule that fits:
///   all ranks on one host                              ring: steps are cheap, memory is what counts
///   several hosts with as many ranks, more than one    hierarchical: fewest bytes between hosts
///   more than 16 ranks, no prime factor above 4        hypercube: a ring's steps would add up
///   otherwise                                          ring
AutomaticChoice choose_automatically(std::span<const std::size_t> ranks_per_host);

/// The same for ranks at these places.
AutomaticChoice choose_automatically(std::span<const Place> places);

}  // namespace gossamer
