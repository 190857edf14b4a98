#include "tools/perf_pace.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "lib/base/deadline.hpp"
#include "tools/perf_input.hpp"
#include "tools/perf_measure.hpp"

namespace gossamer::tools {
namespace {

constexpr int kSteps = 50;

/// Steps a second of the ranks 1 … n − 1, summed, when this rank's work takes so long.
double pace_of_others(Session& session, CaseTensors& tensors, PerfOp op, Seconds work) {
  std::vector<std::byte> data(tensors.bytes());
  tensors.reset();
  session.barrier();
  const Clock::time_point start = Clock::now();
  for (int step = 0; step < kSteps; ++step) {
    std::this_thread::sleep_for(work);
    tensors.call(data.data(), op);
  }
  const double mine = session.rank() == 0 ? 0 : kSteps / seconds_since(start);
  return session.sum({&mine, 1}).front();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return quantile(values, 0.5);
}

}  // namespace

Paces measure_paces(Session& session, const Case& shapes, const PerfOptions& options) {
  CaseTensors tensors(session, shapes, options.dtype);
  Paces paces;
  paces.bytes = tensors.bytes();
  const Seconds work(options.work_seconds);
  const Seconds slow_work = session.rank() == 0 ? work * options.slow : work;
  for (int trial = 0; trial < options.iterations; ++trial) {
    paces.alike.push_back(pace_of_others(session, tensors, options.op, work));
    paces.slowed.push_back(pace_of_others(session, tensors, options.op, slow_work));
  }
  return paces;
}

void print_paces(const Paces& paces, const PerfOptions& options, int ranks) {
  std::vector<double> kept;
  for (std::size_t i = 0; i < paces.alike.size(); ++i) kept.push_back(paces.slowed[i] / paces.alike[i]);
  std::ranges::sort(kept);
  std::printf(
      "%llu bytes: %d ranks make %.1f steps a second together, %.1f while rank 0 works %g times longer: "
      "%.1f %% (%.1f to %.1f)\n",
      static_cast<unsigned long long>(paces.bytes), ranks - 1, median(paces.alike), median(paces.slowed), options.slow,
      100 * quantile(kept, 0.5), 100 * kept.front(), 100 * kept.back());
  std::fflush(stdout);
}

}  // namespace gossamer::tools
