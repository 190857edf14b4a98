// reduce=auto: every call takes the way that sends least by what the calls before it have measured, on all ranks at
// once, and neither law minds which way follows which.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 2718;

std::uint64_t sent_so_far(goss_tensor* tensor) {
  goss_stats stats{};
  stats.struct_size = sizeof stats;
  ok(goss_tensor_stats(tensor, &stats), "goss_tensor_stats");
  return stats.bytes_sent;
}

/// "takes union since call 3, by …" of the only tensor.
std::string choice_of(const goss_comm* comm) {
  const std::string text = describe(comm);
  const std::size_t start = text.find("takes ");
  expect(start != std::string::npos, "no choice in: ", text);
  return text.substr(start, text.find('\n', start) - start);
}
std::string way_in(const std::string& choice) {
  return choice.substr(6, choice.find(" since") - 6);
}

/// One call of all ranks.
struct CallSeen {
  std::vector<std::vector<float>> results;    // by rank
  std::vector<std::vector<float>> residuals;  // after the call
  std::vector<std::string> choices;
  std::vector<std::uint64_t> sent;
};

/// `input(rank, call)` for every rank and call.
template <typename Input>
std::vector<CallSeen> run_calls(int ranks, const std::string& topology, const std::string& codec, int calls,
                                const Input& input) {
  const auto n = static_cast<std::size_t>(ranks);
  std::vector<CallSeen> seen(static_cast<std::size_t>(calls));
  for (CallSeen& each : seen) {
    each.results.resize(n);
    each.residuals.resize(n);
    each.choices.resize(n);
    each.sent.resize(n);
  }
  ThreadGroup group(ranks);
  run_ranks(ranks, [&](int rank) {
    const auto me = static_cast<std::size_t>(rank);
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 topology=" + topology);
    const TensorHandle tensor = make_tensor(comm.get(), "w", {input(rank, 0).size()}, codec);
    std::uint64_t before = 0;
    for (int call = 0; call < calls; ++call) {
      CallSeen& now = seen[static_cast<std::size_t>(call)];
      std::vector<float> data = input(rank, call);
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), codec);
      now.residuals[me] = residual_of(tensor.get(), data.size());
      now.results[me] = std::move(data);
      now.choices[me] = choice_of(comm.get());
      const std::uint64_t after = sent_so_far(tensor.get());
      now.sent[me] = after - before;
      before = after;
    }
  });
  return seen;
}

// ---- Supports that are known: every 64th element, the same on all ranks or each rank its own -----------------------

constexpr std::size_t kShare = 4096;  // elements for each rank
constexpr std::size_t kStride = 64;

std::vector<float> every_64th(int rank, int ranks, bool common) {
  std::vector<float> data(static_cast<std::size_t>(ranks) * kShare, 0.0F);
  for (std::size_t i = common ? 0 : static_cast<std::size_t>(rank); i < data.size(); i += kStride) data[i] = 1;
  return data;
}

/// Entries of 8 bytes that a rank sends, in the mean, by the arithmetic of the reductions.
double entries_sent(const std::string& way, const std::string& topology, std::size_t n, bool common) {
  const double own = static_cast<double>(kShare / kStride);  // of each rank in each of n parts
  const auto sum = [&](std::size_t t) { return common ? own : own * static_cast<double>(t); };
  const auto others = static_cast<double>(n - 1);
  if (way == "all-gather") return others * own * static_cast<double>(n);
  if (way == "reselect") return 2 * others * own;
  double entries = others * sum(n);
  for (std::size_t t = 1; t < n; ++t) entries += topology == "ring" ? sum(t) : own;
  return entries;
}

std::string least(const std::string& topology, std::size_t n, bool common) {
  std::string best = "union";
  const auto cost = [&](const std::string& way) {
    return entries_sent(way, topology, n, common) * (way == "reselect" ? 2 : 1);
  };
  for (const std::string way : {"reselect", "all-gather"}) {
    if (cost(way) < 0.99 * cost(best)) best = way;
  }
  return best;
}

}  // namespace

TEST_CASE("reduce=auto takes what sends least for supports that are disjoint, then equal, then disjoint again") {
  // While sums are selected anew nothing can be seen: call 35 looks, so that the supports change with it.
  constexpr std::array<int, 3> kPhaseEnds = {34, 39, 45};
  constexpr double kRecord = 28;  // with which a rank announces the call
  for (int ranks = 2; ranks <= 8; ++ranks) {
    for (const std::string topology : {"ring", "complete"}) {
      const auto n = static_cast<std::size_t>(ranks);
      const auto common_in = [&](int call) { return call >= kPhaseEnds[0] && call < kPhaseEnds[1]; };
      const std::vector<CallSeen> seen =
          run_calls(ranks, topology, "topk:ratio=0.015625,indices=raw,ef=off,reduce=auto", kPhaseEnds[2],
                    [&](int rank, int call) { return every_64th(rank, ranks, common_in(call)); });
      for (const int end : kPhaseEnds) {
        const CallSeen& last = seen[static_cast<std::size_t>(end - 1)];
        const bool common = common_in(end - 1);
        const std::string best = least(topology, n, common);
        const double sent =
            static_cast<double>(std::accumulate(last.sent.begin(), last.sent.end(), std::uint64_t{0})) / ranks;
        const double wanted = 8 * entries_sent(best, topology, n, common) + kRecord * (ranks - 1);
        INFO(topology << ", " << ranks << " ranks, call " << end << ": " << last.choices[0] << "; sent " << sent);
        CHECK(way_in(last.choices[0]) == best);
        CHECK(sent == doctest::Approx(wanted).epsilon(0.03));  // headers
      }
      for (const CallSeen& each : seen) {
        for (const std::string& choice : each.choices) CHECK(choice == each.choices[0]);
      }
    }
  }
}

TEST_CASE("agreement and conservation hold while densities, and with them the ways, change") {
  INFO("seed " << kSeed);
  constexpr std::size_t kCount = 6007;
  // Shares of 1/64 that have nothing in common, then half of all elements in common.
  const auto input = [](int rank, int call) {
    std::vector<float> values = normal_values(kSeed, rank, call, kCount);
    const bool dense = call >= 4 && call < 9;
    for (std::size_t i = 0; i < kCount; ++i) {
      const bool large = dense ? i % 2 == 0 : i % 64 == static_cast<std::size_t>(rank);
      values[i] = large ? std::copysign(1 + std::abs(values[i]), values[i]) : 0.01F * values[i];
    }
    return values;
  };
  for (int ranks = 1; ranks <= 8; ++ranks) {
    for (const std::string& topology : topologies_of(ranks)) {
      for (const std::string codec : {"threshold:v=0.9,reduce=auto", "topk:ratio=0.02,values=fp16,reduce=auto"}) {
        const std::vector<CallSeen> seen = run_calls(ranks, topology, codec, 14, input);
        double worst = 0;
        std::vector<std::vector<float>> before(static_cast<std::size_t>(ranks), std::vector<float>(kCount));
        for (std::size_t call = 0; call < seen.size(); ++call) {
          const CallSeen& now = seen[call];
          for (const auto& result : now.results) CHECK(same_bits(result, now.results[0]));
          std::vector<double> lacks(now.results[0].begin(), now.results[0].end());
          for (std::size_t rank = 0; rank < lacks.size() && rank < before.size(); ++rank) {
            const std::vector<float> given = input(static_cast<int>(rank), static_cast<int>(call));
            for (std::size_t i = 0; i < kCount; ++i) {
              lacks[i] += static_cast<double>(now.residuals[rank][i]) - given[i] - before[rank][i];
            }
          }
          for (const double each : lacks) worst = std::max(worst, std::abs(each));
          before = now.residuals;
        }
        INFO(codec << " on " << topology << ", " << ranks << " ranks: " << worst);
        CHECK(worst < 1e-4);  // of sums up to 100, in float32
      }
    }
  }
}

TEST_CASE("a threshold's ways follow the density of the data") {
  const auto input = [](int rank, int call) {
    const bool dense = call >= 3 && call < 6;
    std::vector<float> data(20000, 0.0F);
    for (std::size_t i = 0; i < data.size(); i += dense ? 2 : 100)
      data[i + (dense ? 0 : static_cast<std::size_t>(rank))] = 1;
    return data;
  };
  const std::vector<CallSeen> seen = run_calls(4, "ring", "threshold:v=0.5,reduce=auto", 9, input);
  const auto way = [&](std::size_t call) { return way_in(seen[call - 1].choices[2]); };
  CHECK(way(3) == "all-gather");
  CHECK(way(4) == "all-gather");  // the supports have just changed
  CHECK(way(5) == "union");
  CHECK(way(6) == "union");
  CHECK(way(7) == "union");
  CHECK(way(8) == "all-gather");
  CHECK(seen[5].choices[0].find("since call 5") != std::string::npos);
  CHECK(seen[8].choices[0].find("since call 8") != std::string::npos);
}

TEST_CASE("saved state holds what was measured: calls after a load take the ways and give the bits of those before") {
  constexpr int kRanks = 3;
  const auto input = [](int rank, int call) { return every_64th(rank, kRanks, call >= 2 && call < 5); };
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kRanks * kShare}, "topk:ratio=0.01,reduce=auto");
    std::vector<std::byte> saved;
    const auto calls = [&](int from, int to) {
      std::vector<std::string> ways;
      std::vector<float> results;
      for (int call = from; call < to; ++call) {
        std::vector<float> data = input(rank, call);
        ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "all-reduce");
        results.insert(results.end(), data.begin(), data.end());
        ways.push_back(way_in(choice_of(comm.get())));
      }
      return std::pair(ways, results);
    };
    calls(0, 4);
    std::size_t bytes = 0;
    ok(goss_tensor_save(tensor.get(), nullptr, 0, &bytes), "size");
    saved.resize(bytes);
    ok(goss_tensor_save(tensor.get(), saved.data(), saved.size(), &bytes), "save");
    const auto first = calls(4, 8);
    ok(goss_tensor_load(tensor.get(), saved.data(), saved.size()), "load");
    ok(goss_barrier(comm.get()), "barrier");
    const auto again = calls(4, 8);
    expect(first.first == again.first, "other ways after a load");
    expect(same_bits(first.second, again.second), "other bits after a load");
    expect(first.first.front() != first.first.back(), "the ways do not change in these calls");
  });
}

}  // namespace gossamer::test
