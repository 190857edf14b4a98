#pragma once

#include <string>

#include "topology/gossip_graph.hpp"
#include "topology/tour.hpp"

namespace gossamer {

/// The costs between all pairs of so many ranks take 32 MiB.
inline constexpr std::size_t kMostOrdered = 2048;

/// In which order a ring is to visit its ranks, by the links between them.
struct RingOrder {
  Tour tour;           ///< of positions of the layout; empty: as they are
  std::string reason;  ///< "the order 0 2 1 3, where 64 KiB go once round in 3 ms; ..."
};

/// For up to kMostOrdered ranks: their order by hosts, unless another one is clearly better.
RingOrder ring_order(const Layout& layout);

}  // namespace gossamer
