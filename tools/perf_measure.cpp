#include "tools/perf_measure.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "lib/base/deadline.hpp"
#include "tools/perf_check.hpp"
#include "tools/perf_input.hpp"

namespace gossamer::tools {
namespace {

constexpr std::size_t kBatchBytes = 512U << 10U;
constexpr std::size_t kLargestBatch = 32;

/// Buffers for one sample. A small call is timed as one of a batch in a row, each on a buffer of its own, so that the
/// ranks' ways out of the barrier weigh little.
class Buffers {
 public:
  Buffers(Session& session, const CaseTensors& tensors, const PerfOptions& options)
      : pristine_(tensors.bytes()),
        batch_(std::clamp<std::size_t>(kBatchBytes / std::max<std::size_t>(1, tensors.bytes()), 1, kLargestBatch)),
        work_(batch_ * tensors.bytes()) {
    Inputs{options.seed, options.dtype}.fill(session.rank(), 0, pristine_);
  }

  /// Seconds per call of `call` on fresh inputs.
  double time(Session& session, const std::function<void(std::byte*)>& call) {
    for (std::size_t i = 0; i < batch_; ++i) {
      if (!pristine_.empty()) std::memcpy(work_.data() + i * pristine_.size(), pristine_.data(), pristine_.size());
    }
    session.barrier();
    const Clock::time_point start = Clock::now();
    for (std::size_t i = 0; i < batch_; ++i) call(work_.data() + i * pristine_.size());
    return seconds_since(start) / static_cast<double>(batch_);
  }

  [[nodiscard]] std::size_t batch() const noexcept { return batch_; }

 private:
  std::vector<std::byte> pristine_;
  std::size_t batch_;
  std::vector<std::byte> work_;
};

/// Each iteration's slowest rank, ascending.
std::vector<double> slowest(Session& session, std::span<const double> mine) {
  const std::vector<double> all = session.gather(mine);
  std::vector<double> worst(mine.size(), 0.0);
  for (std::size_t i = 0; i < all.size(); ++i) worst[i % mine.size()] = std::max(worst[i % mine.size()], all[i]);
  std::sort(worst.begin(), worst.end());
  return worst;
}

void add_statistics(Session& session, const goss_stats& before, const goss_stats& after, double calls,
                    CaseResult& result) {
  const double mine[] = {static_cast<double>(after.bytes_sent - before.bytes_sent),
                         after.encode_seconds - before.encode_seconds, after.reduce_seconds - before.reduce_seconds,
                         after.decode_seconds - before.decode_seconds, after.wait_seconds - before.wait_seconds};
  std::vector<double> mean = session.sum(mine);
  for (double& each : mean) each /= calls * session.size();
  result.wire_bytes = mean[0];
  result.encode_seconds = mean[1];
  result.reduce_seconds = mean[2];
  result.decode_seconds = mean[3];
  result.wait_seconds = mean[4];
  const double ranks = session.size();
  const double dense = 2 * (ranks - 1) / ranks * static_cast<double>(result.bytes);
  result.ratio = result.wire_bytes > 0 ? dense / result.wire_bytes : 0;
}

}  // namespace

CaseResult measure(Session& session, const Case& shapes, const PerfOptions& options, Rival* rival) {
  CaseTensors tensors(session, shapes, options.dtype);
  CaseResult result;
  result.bytes = tensors.bytes();
  Accuracy accuracy =
      is_gossip(options.op) ? verify_gossip(session, tensors, options) : verify(session, tensors, options);
  result.error = accuracy.error;
  result.broken = std::move(accuracy.broken);

  Buffers buffers(session, tensors, options);
  const auto ours = [&](std::byte* data) { tensors.call(data, options.op); };
  const auto theirs = [&](std::byte* data) { rival->call(data, tensors.count(), options.dtype); };
  std::vector<double> seconds;
  std::vector<double> rival_seconds;
  goss_stats before = tensors.stats();
  for (int iteration = -options.warmup; iteration < options.iterations; ++iteration) {
    if (iteration == 0) before = tensors.stats();
    const double time = buffers.time(session, ours);
    const double rival_time = rival != nullptr ? buffers.time(session, theirs) : 0;
    if (iteration < 0) continue;
    seconds.push_back(time);
    if (rival != nullptr) rival_seconds.push_back(rival_time);
  }
  const goss_stats after = tensors.stats();
  add_statistics(session, before, after, static_cast<double>(buffers.batch()) * options.iterations, result);
  result.seconds = slowest(session, seconds);
  if (rival != nullptr) result.rival_seconds = slowest(session, rival_seconds);
  return result;
}

double quantile(std::span<const double> values, double q) {
  if (values.empty()) return 0;
  const double rank = std::ceil(q * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
  return values[std::min(index, values.size() - 1)];
}

}  // namespace gossamer::tools
