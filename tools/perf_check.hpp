#pragma once

#include <string>
#include <vector>

#include "tools/perf_session.hpp"

namespace gossamer::tools {

/// What the first all-reduces of a case showed. The same on every rank.
struct Accuracy {
  /// |result - exact| / |exact|, L2: of the first all-reduce, before any error feedback, against the sum; of the first
  /// round of gossip against W x; of some pushes and pulls, the mass that the ranks have gained or lost.
  double error = 0;
  std::vector<std::string> broken;  ///< under --check: a sentence for every law or bound that does not hold
};

/// The most by which a rounding to this type changes a value, relatively.
double unit_roundoff(goss_dtype dtype);

/// Runs one all-reduce, and a second one under --check: agreement (same bits on all ranks), conservation
/// (results + residuals left = inputs, for codecs with error feedback) and the codec's error bound. Collective. Leaves
/// the tensors reset.
Accuracy verify(Session& session, CaseTensors& tensors, const PerfOptions& options);

/// The same for gossip. A round is held against the rows of the mixing matrix in float64, for methods that send models
/// as they are, and against its columns: the ranks' mean by weight must stay. Under --check so are all rounds of a
/// period; pushes and pulls are held against the columns when all is taken that was under way.
Accuracy verify_gossip(Session& session, CaseTensors& tensors, const PerfOptions& options);

/// Largest L2 error, relative to the exact sum of `ranks` inputs as Inputs makes them, that the first call may have:
/// roundings of the codec's or the element's type at each hop, or what the codec's theory allows it to drop. Infinite
/// for a codec without an entry here.
double error_bound(std::string_view codec, goss_dtype dtype, int ranks);

}  // namespace gossamer::tools
