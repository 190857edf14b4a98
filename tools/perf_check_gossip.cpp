#include <algorithm>
#include <cmath>

#include "lib/base/deadline.hpp"
#include "lib/c_guard.hpp"
#include "lib/config.hpp"
#include "lib/gossip/mixer.hpp"
#include "tools/perf_check.hpp"
#include "tools/perf_input.hpp"

namespace gossamer::tools {
namespace {

constexpr std::size_t kSamples = 1024;
constexpr int kPushes = 20;

/// Some elements of all ranks' models, rank after rank, and the weights by which they count.
struct Snapshot {
  std::vector<double> values;
  std::vector<double> weights;

  [[nodiscard]] double mass(std::size_t at) const { return weights[at] * values[at]; }
};

/// The laws of the mixing matrix, held by looking at the same elements before and after.
class GossipLaws {
 public:
  GossipLaws(Session& session, const CaseTensors& tensors, const PerfOptions& options)
      : session_(session),
        tensors_(tensors),
        topology_(comm_of(session.comm()).topology()),
        config_(Config::parse(options.communicator_config())),
        entry_(find_mixing(config_.mixing)),
        dtype_(options.dtype),
        exact_(entry_.in_own_type && !entry_.compresses),
        // The others compute in floats, whatever the tensor's type.
        unit_(exact_ ? unit_roundoff(dtype_) : std::max(unit_roundoff(GOSS_FLOAT32), unit_roundoff(dtype_))),
        step_(std::max<std::size_t>(1, tensors.count() / kSamples)),
        samples_((tensors.count() + step_ - 1) / step_) {
    if (config_.every != 1 || Spec::parse(config_.outer).name != "none") {
      fail(Status::unsupported,
           "a call that is no exchange, or more, follows no mixing matrix: leave out every= and outer=");
    }
  }

  [[nodiscard]] Snapshot look(std::span<const std::byte> data) const {
    const std::size_t element = element_size(dtype_);
    std::vector<double> values(samples_);
    std::vector<double> weights(samples_);
    for (std::size_t i = 0; i < samples_; ++i) {
      widen(dtype_, data.subspan(i * step_ * element, element), {&values[i], 1});
      weights[i] = tensors_.weight_at(i * step_);
    }
    return {session_.gather(values), session_.gather(weights)};
  }

  /// x_i' = Σ_j a_ij w_j x_j / Σ_j a_ij w_j, where all weights are 1 unless it is push-sum. The relative error of all.
  double hold_rows(const Snapshot& before, const Snapshot& after, std::uint64_t round,
                   std::vector<std::string>& broken) const {
    const Neighbourhood around = topology_.at(session_.rank(), round);
    const double roundings = 2 * static_cast<double>(around.in.size() + 3) * unit_;
    double squares[2] = {0, 0};
    double excess = 0;
    for (std::size_t i = 0; i < samples_; ++i) {
      double sum = 0, weight = 0, magnitude = 0;
      const auto add = [&](int rank, double share) {
        const std::size_t at = static_cast<std::size_t>(rank) * samples_ + i;
        sum += share * before.mass(at);
        weight += share * before.weights[at];
        magnitude += share * std::abs(before.mass(at));
      };
      add(session_.rank(), around.self_weight);
      for (const Edge& edge : around.in) add(edge.rank, edge.weight);
      const double error = after.values[static_cast<std::size_t>(session_.rank()) * samples_ + i] - sum / weight;
      squares[0] += error * error;
      squares[1] += sum / weight * (sum / weight);
      if (!(std::abs(error) <= roundings * magnitude / weight)) excess = std::max(excess, std::abs(error));
    }
    const std::vector<double> worst = session_.gather({&excess, 1});
    for (std::size_t rank = 0; rank < worst.size(); ++rank) {
      if (!exact_ || worst[rank] == 0) continue;
      broken.push_back(sentence("rows: in round ", round, " rank ", rank, " is off by ", worst[rank]));
    }
    const std::vector<double> sums = session_.sum(squares);
    return sums[1] > 0 ? std::sqrt(sums[0] / sums[1]) : 0.0;
  }

  /// Σ_i w_i' x_i' = Σ_i w_i x_i, after so many calls. The relative error of the sum.
  double hold_columns(const Snapshot& before, const Snapshot& after, double calls,
                      std::vector<std::string>& broken) const {
    const auto ranks = static_cast<std::size_t>(session_.size());
    double squares[2] = {0, 0};
    double worst = 0, allowed = 0;
    for (std::size_t i = 0; i < samples_; ++i) {
      double sum = 0, error = 0, magnitude = 0;
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        const std::size_t at = rank * samples_ + i;
        sum += before.mass(at);
        error += after.mass(at) - before.mass(at);
        magnitude += std::abs(before.mass(at));
      }
      squares[0] += error * error;
      squares[1] += sum * sum;
      worst = std::max(worst, std::abs(error));
      allowed = std::max(allowed, 8 * calls * static_cast<double>(ranks + 3) * unit_ * magnitude);
    }
    if (!(worst <= allowed)) {
      broken.push_back(sentence("columns: the ranks' sum changes by ", worst, ", where roundings allow ", allowed));
    }
    return squares[1] > 0 ? std::sqrt(squares[0] / squares[1]) : 0.0;
  }

  /// Replicas of `dcd` and `ecd` have errors that nothing takes back.
  [[nodiscard]] bool keep_sums() const noexcept { return entry_.name != "dcd" && entry_.name != "ecd"; }
  [[nodiscard]] std::uint64_t period() const noexcept { return topology_.period(); }
  [[nodiscard]] double timeout_seconds() const noexcept { return config_.timeout_seconds; }

 private:
  Session& session_;
  const CaseTensors& tensors_;
  const Topology& topology_;
  Config config_;
  const MixingEntry& entry_;
  goss_dtype dtype_;
  bool exact_;  // models are sent as they are
  double unit_;
  std::size_t step_;
  std::size_t samples_;
};

Accuracy verify_rounds(CaseTensors& tensors, const PerfOptions& options, const GossipLaws& laws,
                       std::span<std::byte> data) {
  Accuracy accuracy;
  Snapshot before = laws.look(data);
  const std::uint64_t rounds = options.check ? std::max<std::uint64_t>(2, laws.period()) : 1;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    tensors.call(data.data(), PerfOp::mix);
    Snapshot after = laws.look(data);
    const double error = laws.hold_rows(before, after, round, accuracy.broken);
    if (round == 0) accuracy.error = error;
    if (laws.keep_sums()) static_cast<void>(laws.hold_columns(before, after, 1, accuracy.broken));
    before = std::move(after);
  }
  return accuracy;
}

/// Weights of all ranks and of what is under way sum to their number: so it is known when all has been taken.
Accuracy verify_pushes(Session& session, CaseTensors& tensors, const GossipLaws& laws, std::span<std::byte> data) {
  Accuracy accuracy;
  const Snapshot before = laws.look(data);
  for (int i = 0; i < kPushes; ++i) tensors.call(data.data(), PerfOp::push);
  const Deadline deadline = Deadline::in(laws.timeout_seconds());
  for (bool all = false; !all;) {
    tensors.pull(data.data());
    double under_way = 0;
    const Snapshot now = laws.look(data);
    for (const double weight : now.weights) under_way += 1 - weight;
    all = std::abs(under_way) <= 1e-12 * static_cast<double>(now.weights.size());
    const double late = deadline.expired() ? 1 : 0;
    if (!all && session.sum({&late, 1}).front() > 0) {
      accuracy.broken.push_back(sentence("weights: they lack ", under_way, " in sum over all elements looked at"));
      return accuracy;
    }
  }
  accuracy.error = laws.hold_columns(before, laws.look(data), kPushes, accuracy.broken);
  return accuracy;
}

}  // namespace

Accuracy verify_gossip(Session& session, CaseTensors& tensors, const PerfOptions& options) {
  std::vector<std::byte> data(tensors.bytes());
  Inputs{options.seed, options.dtype}.fill(session.rank(), 0, data);
  const GossipLaws laws(session, tensors, options);
  Accuracy accuracy = options.op == PerfOp::mix ? verify_rounds(tensors, options, laws, data)
                                                : verify_pushes(session, tensors, laws, data);
  if (!options.check) accuracy.broken.clear();
  tensors.reset();
  return accuracy;
}

}  // namespace gossamer::tools
