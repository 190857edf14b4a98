// Asynchronous gossip: nobody waits, and no mass is lost.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <thread>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 1313;

double weight_of(const goss_tensor* tensor) {
  double weight = 0;
  ok(goss_tensor_weight(tensor, &weight), "goss_tensor_weight");
  return weight;
}

void push(goss_tensor* tensor, std::vector<float>& model) {
  ok(goss_push(tensor, model.data()), "goss_push");
}

int pull(goss_tensor* tensor, std::vector<float>& model) {
  int messages = -1;
  ok(goss_pull(tensor, model.data(), &messages), "goss_pull");
  return messages;
}

/// What ranks end with, in float64.
struct Ledger {
  explicit Ledger(int ranks) : weights(static_cast<std::size_t>(ranks)), models(weights.size()) {}

  void enter(int rank, const goss_tensor* tensor, std::vector<float> model) {
    weights[static_cast<std::size_t>(rank)] = weight_of(tensor);
    models[static_cast<std::size_t>(rank)] = std::move(model);
  }
  [[nodiscard]] double weight() const { return std::accumulate(weights.begin(), weights.end(), 0.0); }
  /// Largest difference between what weights times models sum to and `wanted`.
  [[nodiscard]] double missing(const std::vector<double>& wanted) const {
    double worst = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      double sum = 0;
      for (std::size_t r = 0; r < models.size(); ++r) sum += weights[r] * static_cast<double>(models[r][i]);
      worst = std::max(worst, std::abs(sum - wanted[i]));
    }
    return worst;
  }

  std::vector<double> weights;
  std::vector<std::vector<float>> models;
};

std::vector<double> sum_of_starts(int ranks, std::size_t count) {
  std::vector<double> sum(count);
  for (int rank = 0; rank < ranks; ++rank) {
    const std::vector<float> start = normal_values(kSeed, rank, 0, count);
    for (std::size_t i = 0; i < count; ++i) sum[i] += static_cast<double>(start[i]);
  }
  return sum;
}

/// Pulls until no rank has got anything for some time: then nothing is in flight.
void drain(ThreadGroup& group, std::atomic<int>& arrivals, goss_tensor* tensor, std::vector<float>& model) {
  int seen = -1;
  for (int quiet = 0; quiet < 20;) {
    group.barrier();
    arrivals += pull(tensor, model);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    group.barrier();
    const int now = arrivals;
    quiet = now == seen ? quiet + 1 : 0;
    seen = now;
  }
}

}  // namespace

TEST_CASE("weights and masses are conserved, and models come together, on every kind of graph") {
  INFO("seed " << kSeed);
  struct Case {
    std::string graph;
    std::size_t count;
  };
  for (const Case& one : {Case{"ring", 1009}, Case{"exponential", 70001}, Case{"one-peer-exponential", 1009},
                          Case{"star weights=out-uniform", 1009}, Case{"complete", 1}, Case{"matching", 0}}) {
    for (const int ranks : {1, 2, 5, 8}) {
      ThreadGroup group(ranks);
      Ledger ledger(ranks);
      std::atomic<int> arrivals{0};
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + one.graph);
        const TensorHandle tensor = make_tensor(comm.get(), "w", {one.count}, "identity");
        std::vector<float> model = normal_values(kSeed, rank, 0, one.count);
        for (int step = 0; step < 60; ++step) {
          push(tensor.get(), model);
          std::this_thread::yield();
          pull(tensor.get(), model);
        }
        drain(group, arrivals, tensor.get(), model);
        ledger.enter(rank, tensor.get(), std::move(model));
        group.barrier();
      });
      INFO(one.graph << ", " << ranks << " ranks, " << one.count << " elements, " << arrivals << " at the end");
      CHECK(std::abs(ledger.weight() - ranks) < 1e-12 * ranks);
      CHECK(ledger.missing(sum_of_starts(ranks, one.count)) < 1e-4);
    }
  }
}

TEST_CASE("models come together without any round") {
  constexpr int kRanks = 6;
  constexpr std::size_t kCount = 500;
  ThreadGroup group(kRanks);
  Ledger ledger(kRanks);
  std::atomic<int> arrivals{0};
  std::atomic<int> satisfied{0};
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=exponential");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "identity");
    std::vector<float> model = normal_values(kSeed, rank, 0, kCount);
    // As many steps as it takes for all to have heard a hundred times, whatever the threads' pace.
    for (int heard = 0; satisfied < kRanks;) {
      push(tensor.get(), model);
      const int before = heard;
      heard += pull(tensor.get(), model);
      if (before < 100 && heard >= 100) ++satisfied;
      std::this_thread::yield();
    }
    drain(group, arrivals, tensor.get(), model);
    ledger.enter(rank, tensor.get(), std::move(model));
    group.barrier();
  });
  const std::vector<double> sum = sum_of_starts(kRanks, kCount);
  double worst = 0;
  for (const std::vector<float>& model : ledger.models) {
    for (std::size_t i = 0; i < kCount; ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(model[i]) - sum[i] / kRanks));
    }
  }
  INFO("seed " << kSeed);
  CHECK(std::abs(ledger.weight() - kRanks) < 1e-11);
  CHECK(worst < 0.2);  // of standard normal starts
}

TEST_CASE("a rank that does not call keeps nobody; what was for it stays with the others or waits for it") {
  constexpr int kRanks = 4;
  constexpr std::size_t kCount = 100003;
  ThreadGroup group(kRanks);
  Ledger ledger(kRanks);
  std::atomic<int> arrivals{0};
  int waiting = 0;
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=ring timeout=2");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "identity");
    std::vector<float> model = normal_values(kSeed, rank, 0, kCount);
    if (rank != 0) {
      for (int step = 0; step < 200; ++step) push(tensor.get(), model), pull(tensor.get(), model);
    }
    group.barrier();
    if (rank == 0) waiting = pull(tensor.get(), model);
    drain(group, arrivals, tensor.get(), model);
    ledger.enter(rank, tensor.get(), std::move(model));
    group.barrier();
  });
  INFO("seed " << kSeed);
  CHECK(waiting >= 1);
  CHECK(waiting <= 2);  // one from each of its neighbours, out of 200
  CHECK(std::abs(ledger.weight() - kRanks) < 1e-11);
  CHECK(ledger.missing(sum_of_starts(kRanks, kCount)) < 1e-3);
}

TEST_CASE("a slow rank does not slow the others: they do their steps while it does a few") {
  constexpr int kRanks = 8;
  constexpr int kSteps = 100;
  ThreadGroup group(kRanks);
  std::atomic<int> finished{0};
  std::atomic<int> slow_steps{0};
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=exponential");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {1000}, "identity");
    std::vector<float> model(1000, static_cast<float>(rank));
    if (rank == 0) {
      while (finished < kRanks - 1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        push(tensor.get(), model), pull(tensor.get(), model);
        ++slow_steps;
      }
    } else {
      for (int step = 0; step < kSteps; ++step) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        push(tensor.get(), model), pull(tensor.get(), model);
      }
      ++finished;
    }
    group.barrier();
  });
  // Were they to wait for it, it would have done as many.
  CHECK(slow_steps < kSteps / 2);
}

TEST_CASE(
    "a tensor that takes another's name does not get its letters; weights are saved, and a reset is a new start") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc");
    TensorHandle tensor = make_tensor(comm.get(), "w", {4}, "identity");
    std::vector<float> model(4, 100.0F + static_cast<float>(rank));
    push(tensor.get(), model);
    expect(weight_of(tensor.get()) == 0.5, "after a push the weight is ", weight_of(tensor.get()));
    std::size_t bytes = 0;
    ok(goss_tensor_save(tensor.get(), nullptr, 0, &bytes), "save");
    std::vector<char> saved(bytes);
    ok(goss_tensor_save(tensor.get(), saved.data(), bytes, &bytes), "save");
    group.barrier();
    tensor.reset();
    tensor = make_tensor(comm.get(), "w", {4}, "identity");
    model.assign(4, 1.0F);
    group.barrier();
    expect(pull(tensor.get(), model) == 0 && model[0] == 1, "a letter to the tensor before came: ", model[0]);
    ok(goss_tensor_load(tensor.get(), saved.data(), bytes), "load");
    expect(weight_of(tensor.get()) == 0.5, "the weight saved was 0.5, loaded ", weight_of(tensor.get()));
    ok(goss_tensor_reset(tensor.get()), "reset");
    expect(weight_of(tensor.get()) == 1, "the weight after a reset is ", weight_of(tensor.get()));
    group.barrier();
  });
}

TEST_CASE("other types; NaN, codecs and graphs that do not do; calls after each other") {
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=ring");
    const TensorHandle doubles = make_tensor(comm.get(), "d", {2}, "identity", GOSS_FLOAT64);
    double pair[2] = {static_cast<double>(rank), 1};
    for (int step = 0; step < 2000; ++step) {
      ok(goss_push(doubles.get(), pair), "push");
      ok(goss_pull(doubles.get(), pair, nullptr), "pull");
      std::this_thread::yield();
    }
    expect(std::abs(pair[1] - 1) < 1e-12, "a value that all share became ", pair[1]);

    const TensorHandle tensor = make_tensor(comm.get(), "w", {2}, "identity");
    std::vector<float> model = {1, std::numeric_limits<float>::quiet_NaN()};
    fails(goss_push(tensor.get(), model.data()), GOSS_ERR_NUMERIC, {"'w'", sentence("rank ", rank)}, "NaN");
    fails(goss_pull(tensor.get(), model.data(), nullptr), GOSS_ERR_NUMERIC, {"'w'", sentence("rank ", rank)}, "NaN");
    expect(weight_of(tensor.get()) == 1, "the weight after a refused push is ", weight_of(tensor.get()));
    model[1] = 2;
    push(tensor.get(), model);
    ok(goss_allreduce(tensor.get(), model.data(), GOSS_MEAN), "all-reduce after a push");
    expect(model[1] == 2, "a mean of twos is ", model[1]);

    const TensorHandle lossy = make_tensor(comm.get(), "v", {5000}, "int8");
    std::vector<float> values(5000, 1);
    fails(goss_push(lossy.get(), values.data()), GOSS_ERR_UNSUPPORTED, {"'v'", "int8"}, "codec");
    fails(goss_pull(lossy.get(), values.data(), nullptr), GOSS_ERR_UNSUPPORTED, {"'v'", "int8"}, "codec");
    group.barrier();
  });
  ThreadGroup rows(3);
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(rows, rank, "transport=inproc topology=star weights=uniform");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {2}, "identity");
    std::vector<float> model = {1, 2};
    fails(goss_push(tensor.get(), model.data()), GOSS_ERR_ARGUMENT, {"goss_push", "column", "out-uniform"}, "columns");
  });
}

}  // namespace gossamer::test
