#pragma once

#include "tools/perf_rival.hpp"
#include "tools/perf_session.hpp"

namespace gossamer::tools {

/// Verifies and times one case; `rival` may be null. Under a rival the two alternate, call by call. Collective; the
/// result is the same on every rank.
CaseResult measure(Session& session, const Case& shapes, const PerfOptions& options, Rival* rival);

/// The value below which a fraction `q` of ascending `values` lies (nearest rank).
double quantile(std::span<const double> values, double q);

}  // namespace gossamer::tools
