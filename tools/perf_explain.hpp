#pragma once

#include "tools/perf.hpp"
#include "tools/perf_session.hpp"

namespace gossamer::tools {

/// Collective: prints, on rank 0, every way in which the codec's payloads can be reduced for this case, with the bytes
/// that a rank sends in a call: predicted, and measured with one call of each; then some calls of reduce=auto, and what
/// they made it choose.
void explain(Session& session, const Case& shapes, const PerfOptions& options);

}  // namespace gossamer::tools
