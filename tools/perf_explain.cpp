#include "tools/perf_explain.hpp"

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "compress/ways.hpp"
#include "tools/perf_check.hpp"
#include "tools/perf_input.hpp"

namespace gossamer::tools {
namespace {

constexpr int kCalls = 4;  // the first goes by what is typical of the codec, the others by what was measured

/// The dimensions that goss_comm_describe tells: "topology: torus:4x2 ring(4) ring(2), …".
std::vector<Stage> stages_of(const Session& session) {
  const std::string text = session.describe();
  const std::size_t start = text.find("topology: ");
  std::istringstream words(text.substr(start, text.find(',', start) - start));
  std::vector<Stage> stages;
  for (std::string word; words >> word;) {
    const std::size_t size = word.find('(');
    if (size == std::string::npos) continue;
    stages.push_back({std::strtoul(word.c_str() + size + 1, nullptr, 10), word.starts_with("direct")});
  }
  return stages;
}

/// The ways of a case: those of its tensors, which all have the same ones, with their bytes added up.
std::vector<Way> ways_of_case(const Case& shapes, const PerfOptions& options, std::span<const Stage> stages) {
  std::vector<Way> total;
  for (const TensorShape& shape : shapes) {
    const std::vector<Way> ways = ways_of(options.codec, {static_cast<DType>(options.dtype), shape.dims}, stages);
    if (total.empty()) {
      total = ways;
      continue;
    }
    for (std::size_t i = 0; i < total.size(); ++i) total[i].bytes += ways[i].bytes;
  }
  return total;
}

/// Of what the tensors' calls have sent so far, the mean of the ranks.
double bytes_sent(Session& session, const CaseTensors& tensors) {
  const double sent = static_cast<double>(tensors.stats().bytes_sent);
  return session.sum({&sent, 1}).front() / session.size();
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
  return {bytes_sent(session, tensors), accuracy.error};
}

/// What reduce=auto does, call by call, and what it says of its choice for each tensor that has one.
void choose(Session& session, const Case& shapes, const PerfOptions& options) {
  Spec spec = Spec::parse(options.codec);
  spec.values["reduce"] = "auto";
  CaseTensors tensors(session, shapes, options.dtype, spec.text().c_str());
  const Inputs inputs{options.seed, options.dtype};
  std::vector<std::byte> data(tensors.bytes());
  double before = 0;
  for (int call = 1; call <= kCalls; ++call) {
    inputs.fill(session.rank(), 0, data);
    tensors.call(data.data(), options.op);
    const double sent = bytes_sent(session, tensors);
    if (session.rank() == 0) std::printf("# reduce=auto, call %d: %.0f bytes\n", call, sent - before);
    before = sent;
  }
  if (session.rank() != 0) return;
  std::istringstream lines(session.describe());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t choice = line.find("takes ");
    if (choice == std::string::npos) continue;
    std::printf("# %s %s\n", line.substr(0, line.find(':')).c_str(), line.c_str() + choice);
  }
}

}  // namespace

void explain(Session& session, const Case& shapes, const PerfOptions& options) {
  const std::vector<Way> ways = ways_of_case(shapes, options, stages_of(session));
  const Way& first = cheapest(ways);
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
                &way == &first ? "  <- reduce=auto begins with it" : "");
  }
  if (ways.size() > 1) choose(session, shapes, options);
}

}  // namespace gossamer::tools
