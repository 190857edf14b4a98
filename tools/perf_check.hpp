#pragma once

#include <string>
#include <vector>

#include "tools/perf_session.hpp"

namespace gossamer::tools {

/// What the first all-reduces of a case showed. The same on every rank.
struct Accuracy {
  double error = 0;                 ///< |result - exact| / |exact|, L2, first call (before any error feedback)
  std::vector<std::string> broken;  ///< under --check: a sentence for every law or bound that does not hold
};

/// Runs one all-reduce, and a second one under --check: agreement (same bits on all ranks), conservation
/// (results + residuals left = inputs, for codecs with error feedback) and the codec's error bound. Collective. Leaves
/// the tensors reset.
Accuracy verify(Session& session, CaseTensors& tensors, const PerfOptions& options);

/// Largest L2 error, relative to the exact sum of `ranks` inputs as Inputs makes them, that the first call may have:
/// roundings of the codec's or the element's type at each hop, or what the codec's theory allows it to drop. Infinite
/// for a codec without an entry here.
double error_bound(std::string_view codec, goss_dtype dtype, int ranks);

}  // namespace gossamer::tools
