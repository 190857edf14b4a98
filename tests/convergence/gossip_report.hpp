#pragma once

#include <string>
#include <vector>

#include "tests/convergence/gossip_methods.hpp"

namespace gossamer::convergence {

/// Means over the seeds.
struct Standing {
  double bytes = 0;  ///< for one seed
  double mean = 0, mean_spread = 0;
  double worst = 0;
  double disagreement = 0;
};

/// At the last checkpoint, or at one of them.
Standing standing(const GossipOutcome& outcome);
Standing standing(const GossipOutcome& outcome, std::size_t checkpoint);

/// What a method came to.
struct GossipResult {
  const GossipMethod* method = nullptr;
  Standing standing;
  double ratio = 0;       ///< how many times fewer bytes than the dense all-reduce; 0: none at all
  int steps = 0;          ///< of a dense all-reduce that sends as many bytes
  double same_bytes = 0;  ///< its accuracy
  Standing of_sorted;     ///< where ranks know one or two digits only
};

/// The table, as text or as Markdown.
void print(const std::vector<GossipResult>& results, bool markdown);

/// What is worse than it may be, in words. The first result is that of the dense all-reduce.
std::vector<std::string> judge(const std::vector<GossipResult>& results);

}  // namespace gossamer::convergence
