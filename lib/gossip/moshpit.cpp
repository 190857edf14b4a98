#include "lib/gossip/entries.hpp"

namespace gossamer {

/// Moshpit SGD (Ryabinin, Gorbunov, Plokhotnyuk, Pekhimenko, "Moshpit SGD: communication-efficient decentralized
/// training on heterogeneous unreliable devices", NeurIPS 2021): groups of M all-reduce, at 2 (M − 1)/M of a model a
/// rank, where members who send to each other would send M − 1.
MixingEntry moshpit_mixing() noexcept {
  return {.name = "moshpit",
          .summary = "the mean within each group of a graph of groups, by an all-reduce of its own (Moshpit SGD)",
          .needs = Stochastic::both,
          .fixed_graph = false,
          .compresses = false,
          .in_own_type = true,
          .keys = {},
          .make = nullptr,
          .in_groups = true};
}

}  // namespace gossamer
