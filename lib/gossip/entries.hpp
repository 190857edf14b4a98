#pragma once

#include "lib/gossip/mixer.hpp"

/// The registry: every mixing method, in the order of `gossamer info`. A new one is a line here and a source file that
/// defines <name>_mixing().
#define GOSSAMER_MIXINGS(X) \
  X(average)                \
  X(mean)                   \
  X(push_sum)               \
  X(choco)                  \
  X(choco_push_sum)         \
  X(deepsqueeze)            \
  X(dcd)                    \
  X(ecd)                    \
  X(moniqua)                \
  X(powergossip)            \
  X(moshpit)                \
  X(pairwise)

namespace gossamer {

#define GOSSAMER_DECLARE(name) MixingEntry name##_mixing() noexcept;
GOSSAMER_MIXINGS(GOSSAMER_DECLARE)
#undef GOSSAMER_DECLARE

}  // namespace gossamer
