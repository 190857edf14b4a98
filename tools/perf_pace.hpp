#pragma once

#include <vector>

#include "tools/perf_session.hpp"

namespace gossamer::tools {

/// Steps a second of all ranks but rank 0 together, by trial: alike, and while rank 0 is slow. Trials alternate.
struct Paces {
  std::uint64_t bytes = 0;  ///< of input per rank
  std::vector<double> alike;
  std::vector<double> slowed;
};

/// A step is the sleep of options.work_seconds, which stands for computing without needing a core, and a call. Every
/// rank makes as many steps, at its own pace. Collective; the result is the same on every rank.
Paces measure_paces(Session& session, const Case& shapes, const PerfOptions& options);

/// One line on stdout.
void print_paces(const Paces& paces, const PerfOptions& options, int ranks);

}  // namespace gossamer::tools
