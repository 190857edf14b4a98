#include "topology/diagnostics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "topology/draw.hpp"
#include "topology/prediction.hpp"

namespace gossamer {
namespace {

constexpr double kReduction = 1000;
constexpr double kNoGap = 1e-12;      // what rounding makes of a gap of 0
constexpr double kConsensus = 1e-10;  // of values about 1, after rounding

// Push-sum: where columns sum to 1 but rows do not, the ratio of values to weights is what agrees.
struct Gossip {
  std::vector<double> values;
  std::vector<double> weights;

  explicit Gossip(int size) : values(static_cast<std::size_t>(size)), weights(values.size(), 1) {
    Draw draw(0, "diagnosis");
    for (double& value : values) value = to_unit(draw());
  }
  void mix(const Topology& topology, std::uint64_t round) {
    const Gossip before = *this;
    for (int rank = 0; rank < topology.size(); ++rank) {
      const auto i = static_cast<std::size_t>(rank);
      const Neighbourhood around = topology.at(rank, round);
      values[i] *= around.self_weight;
      weights[i] *= around.self_weight;
      for (const Edge& edge : around.in) {
        values[i] += edge.weight * before.values[static_cast<std::size_t>(edge.rank)];
        weights[i] += edge.weight * before.weights[static_cast<std::size_t>(edge.rank)];
      }
    }
  }
  [[nodiscard]] bool agrees() const {
    const auto ratio = [this](std::size_t i) { return values[i] / weights[i]; };
    for (std::size_t i = 1; i < values.size(); ++i) {
      if (!(std::abs(ratio(i) - ratio(0)) <= kConsensus)) return false;
    }
    return true;
  }
};

// Random values agree only when all do.
double rounds_until_exact(const Topology& topology) {
  Gossip gossip(topology.size());
  const std::uint64_t limit = static_cast<std::uint64_t>(topology.size()) * topology.period();
  std::uint64_t round = 0;
  for (; round < limit && !gossip.agrees(); ++round) gossip.mix(topology, round);
  return static_cast<double>(round);
}

double rounds_until_reduced(double gap) {
  if (gap <= kNoGap) return std::numeric_limits<double>::infinity();
  return std::ceil(std::log(kReduction) / -std::log1p(-gap));
}

void widen(Range& range, std::size_t value) {
  range.least = std::min(range.least, value);
  range.most = std::max(range.most, value);
}

void count_rounds(const Topology& topology, const GossipJob& job, Diagnosis& result) {
  const auto period = static_cast<double>(topology.period());
  const double share = 1 / (period * static_cast<double>(topology.size()));
  result.in_degree.least = result.out_degree.least = std::numeric_limits<std::size_t>::max();
  for (std::uint64_t round = 0; round < topology.period(); ++round) {
    Rush rush(job.links, static_cast<std::size_t>(topology.size()));
    for (int rank = 0; rank < topology.size(); ++rank) {
      const Neighbourhood around = topology.at(rank, round);
      widen(result.in_degree, around.in.size());
      widen(result.out_degree, around.out.size());
      for (const Edge& edge : around.out) rush.send(rank, edge.rank, job.payload_bytes);
      result.bytes_per_round += static_cast<double>(around.out.size()) * job.payload_bytes * share;
    }
    result.round_seconds += rush.seconds() / period;
  }
}

void count_steps(const Topology& topology, const GossipJob& job, Diagnosis& result) {
  for (const Dimension& dimension : topology.dimensions()) {
    result.all_reduce_steps += 2 * (dimension.direct ? 1 : dimension.size - 1);
  }
  std::vector<int> order;
  for (std::size_t position = 0; position < static_cast<std::size_t>(topology.size()); ++position) {
    order.push_back(topology.rank_at(position));
  }
  result.all_reduce_seconds = all_reduce_seconds(topology.dimensions(), order, job.links, job.payload_bytes);
}

}  // namespace

Diagnosis diagnose(const Topology& topology, const GossipJob& job) {
  Diagnosis result;
  result.spectral_gap = topology.spectral_gap();
  result.least_eigenvalue = topology.least_eigenvalue();
  result.exact = result.spectral_gap > 1 - kNoGap;
  result.rounds = result.exact ? rounds_until_exact(topology) : rounds_until_reduced(result.spectral_gap);
  for (int rank = 0; rank < topology.size(); ++rank) {
    result.connections = std::max(result.connections, topology.neighbours(rank).size());
  }
  result.diameter = topology.diameter();
  count_rounds(topology, job, result);
  count_steps(topology, job, result);
  result.seconds = result.rounds * result.round_seconds;
  return result;
}

}  // namespace gossamer
