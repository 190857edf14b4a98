#pragma once

#include <functional>
#include <vector>

#include "lib/gossip/mixer.hpp"

/// The gossip graph when ranks have died.
namespace gossamer {

using IsDead = std::function<bool(int rank)>;

/// A neighbourhood without its dead. Their weights stay with this rank: those of whom it heard, so that its row still
/// sums to 1; or, for methods that need columns only, those that it gave to them.
Neighbourhood among_the_living(Neighbourhood around, Stochastic needs, const IsDead& dead);

/// Living ranks that no longer hear from `rank`, or it from them, over any number of rounds; ascending.
std::vector<int> cut_off_from(int rank, const Topology& topology, const IsDead& dead);

}  // namespace gossamer
