#pragma once

#include "topology/topology.hpp"

/// The registry: every topology, in the order of `gossamer info`. A new one is a line here and a source file that
/// defines <name>_entry().
#define GOSSAMER_TOPOLOGIES(X) \
  X(ring)                      \
  X(torus)                     \
  X(hypercube)                 \
  X(complete)                  \
  X(hierarchical)              \
  X(automatic)                 \
  X(exponential)               \
  X(one_peer_exponential)      \
  X(base)                      \
  X(moshpit)                   \
  X(equitopo)                  \
  X(matching)                  \
  X(random_regular)            \
  X(small_world)               \
  X(erdos_renyi)               \
  X(grid)                      \
  X(path)                      \
  X(star)                      \
  X(barbell)                   \
  X(file)

namespace gossamer {

#define GOSSAMER_DECLARE(name) TopologyEntry name##_entry() noexcept;
GOSSAMER_TOPOLOGIES(GOSSAMER_DECLARE)
#undef GOSSAMER_DECLARE

}  // namespace gossamer
