#include "tools/perf_explain.hpp"

#include <cstdio>

#include "compress/ways.hpp"
#include "tools/perf_check.hpp"

namespace gossamer::tools {
namespace {

/// The ways of a case: those of its tensors, which all have the same ones, with their bytes added up.
std::vector<Way> ways_of_case(const Case& shapes, const PerfOptions& options, int ranks) {
  std::vector<Way> total;
  for (const TensorShape& shape : shapes) {
    const std::vector<Way> ways = ways_of(options.codec, {static_cast<DType>(options.dtype), shape.dims}, ranks);
    if (total.empty()) {
      total = ways;
      continue;
    }
    for (std::size_t i = 0; i < total.size(); ++i) total[i].bytes += ways[i].bytes;
  }
  return total;
}

struct Measured {
  double bytes = 0;  ///< mean of the ranks
  double error = 0;
};

Measured measure(Session& session, const Case& shapes, const PerfOptions& options, const Way& way) {
  CaseTensors tensors(session, shapes, options.dtype, way.spec.c_str());
  PerfOptions once = options;
  once.check = false;
  const Accuracy accuracy = verify(session, tensors, once);
  const double sent = static_cast<double>(tensors.stats().bytes_sent);
  return {session.sum({&sent, 1}).front() / session.size(), accuracy.error};
}

}  // namespace

void explain(Session& session, const Case& shapes, const PerfOptions& options) {
  const std::vector<Way> ways = ways_of_case(shapes, options, session.size());
  const Way& taken = cheapest(ways);
  const bool prints = session.rank() == 0;
  if (prints) {
    std::printf("#\n# ways to reduce %s among %d ranks; bytes sent by a rank in a call, headers measured only\n",
                options.codec.c_str(), session.size());
    std::printf("# %-12s %12s %12s %9s\n", "way", "predicted", "measured", "error");
  }
  for (const Way& way : ways) {
    const Measured measured = measure(session, shapes, options, way);
    if (!prints) continue;
    std::printf("# %-12s %12.0f %12.0f %9.2e%s%s\n", way.name.c_str(), way.bytes, measured.bytes, measured.error,
                way.exact ? "" : "  encodes again at every hop: counts double",
                &way == &taken ? "  <- reduce=auto" : "");
  }
}

}  // namespace gossamer::tools
