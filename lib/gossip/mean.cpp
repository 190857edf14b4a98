#include "lib/gossip/entries.hpp"

namespace gossamer {

MixingEntry mean_mixing() noexcept {
  return {.name = "mean",
          .summary = "the mean of all ranks, by the tensor's all-reduce: for local methods that meet now and then",
          .needs = Stochastic::nothing,
          .fixed_graph = false,
          .compresses = true,
          .in_own_type = true,
          .keys = {},
          .make = nullptr};
}

}  // namespace gossamer
