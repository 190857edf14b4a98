#include <numeric>

#include "topology/entries.hpp"
#include "topology/shape.hpp"

namespace gossamer {
namespace {

// Ryabinin, Gorbunov, Plokhotnyuk, Pekhimenko, "Moshpit SGD: communication-efficient decentralized training on
// heterogeneous unreliable devices", NeurIPS 2021; here on a full grid.
GossipGraph moshpit(const Options& options, const Layout& layout) {
  std::vector<std::size_t> factors = shape_of(options, layout, "moshpit", "moshpit:AxB or moshpit:AxBxC");
  std::erase(factors, std::size_t{1});
  std::vector<std::size_t> positions(layout.size);
  std::iota(positions.begin(), positions.end(), std::size_t{0});
  return {.size = layout.size,
          .rounds = average_by_digits(positions, factors),
          .directed = false,
          .weighted = true,
          .on_ranks = false};
}

}  // namespace

TopologyEntry moshpit_entry() noexcept {
  return {.name = "moshpit",
          .summary = "gossip: in round t groups along one axis of a grid average; exact after a round for each axis",
          .form = "moshpit:AxB[xC...]",
          .keys = {},
          .takes_items = true,
          .make = moshpit};
}

}  // namespace gossamer
