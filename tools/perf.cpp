#include "tools/perf.hpp"

#include "lib/base/error.hpp"
#include "tools/perf_explain.hpp"
#include "tools/perf_links.hpp"
#include "tools/perf_measure.hpp"
#include "tools/perf_pace.hpp"
#include "tools/perf_ranks.hpp"
#include "tools/perf_report.hpp"
#include "tools/perf_rival.hpp"

namespace gossamer::tools {
namespace {

int compare_paces(goss_comm* owned, const PerfOptions& options) {
  Session session(owned);
  for (const Case& shapes : cases_of(options)) {
    const Paces paces = measure_paces(session, shapes, options);
    if (session.rank() == 0) print_paces(paces, options, session.size());
  }
  return 0;
}

int rank_main(goss_comm* owned, const PerfOptions& options, Rival* rival) {
  if (options.slow > 0) return compare_paces(owned, options);
  Session session(owned);
  std::unique_ptr<Links> links;
  if (options.op == PerfOp::mix) {
    links = std::make_unique<Links>(session, options);
    rival = links.get();
  }
  const bool prints = session.rank() == 0;
  const PerfHeader header{session.size(), session.describe(), rival != nullptr ? rival->name() : std::string()};
  if (prints && !options.json) print_header(options, header);
  std::vector<CaseResult> results;
  bool broken = false;
  for (const Case& shapes : cases_of(options)) {
    if (options.explain) explain(session, shapes, options);
    results.push_back(measure(session, shapes, options, rival));
    if (prints && !options.json) print_case(options, header, results.back());
    broken = broken || !results.back().broken.empty();
  }
  if (prints && options.json) print_json(options, header, results);
  return broken ? 1 : 0;
}

}  // namespace

int run_perf(const PerfOptions& options, char** arguments) {
  if (is_gossip(options.op) && (options.explain || !options.against.empty())) {
    fail(Status::argument, "--explain and --against are about all-reduces: --op sum or --op mean");
  }
  const std::string config = options.communicator_config();
  const RankMain alone = [&](goss_comm* comm) { return rank_main(comm, options, nullptr); };
  if (options.inproc > 0) return run_threads(options.inproc, config, alone);
  if (options.ranks > 0) return run_children(options.ranks, config, alone);
  if (options.against.empty()) return run_from_environment(config, alone);
  const auto rival = start_mpi(arguments);
  const int code = rank_main(rival->communicator(config), options, rival.get());
  rival->finish(code);
  return code;
}

}  // namespace gossamer::tools
