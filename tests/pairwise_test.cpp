// mixing=pairwise: two ranks at a time average, nobody waits, and the sum over the ranks stays.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <thread>
#include <vector>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 1515;

void push(goss_tensor* tensor, std::vector<float>& model) {
  ok(goss_push(tensor, model.data()), "goss_push");
}

int pull(goss_tensor* tensor, std::vector<float>& model) {
  int exchanges = -1;
  ok(goss_pull(tensor, model.data(), &exchanges), "goss_pull");
  return exchanges;
}

/// Pulls until no rank has got anything for some time: then no exchange is under way.
void drain(ThreadGroup& group, std::atomic<int>& exchanges, goss_tensor* tensor, std::vector<float>& model) {
  for (int seen = -1, quiet = 0; quiet < 20;) {
    group.barrier();
    exchanges += pull(tensor, model);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    group.barrier();
    const int now = exchanges;
    quiet = now == seen ? quiet + 1 : 0;
    seen = now;
  }
}

/// Σ over ranks of element i.
double sum_of(const std::vector<std::vector<float>>& models, std::size_t i) {
  double sum = 0;
  for (const std::vector<float>& model : models) sum += static_cast<double>(model[i]);
  return sum;
}

}  // namespace

TEST_CASE("pairwise: what the ranks add is in the sum, whatever they exchange meanwhile, on every kind of graph") {
  INFO("seed " << kSeed);
  struct Case {
    std::string graph;
    std::size_t count;
  };
  for (const Case& one : {Case{"ring", 1009}, Case{"complete", 70001}, Case{"star", 1009}, Case{"matching", 1},
                          Case{"hypercube", 0}, Case{"random-regular:degree=3", 33}}) {
    for (const int ranks : {1, 2, 5, 8}) {
      if (one.graph.starts_with("random-regular") && ranks != 8) continue;
      constexpr int kSteps = 50;
      ThreadGroup group(ranks);
      std::vector<std::vector<float>> models(static_cast<std::size_t>(ranks));
      std::atomic<int> exchanges{0};
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=pairwise topology=" + one.graph);
        const TensorHandle tensor = make_tensor(comm.get(), "w", {one.count}, "identity");
        std::vector<float> model = normal_values(kSeed, rank, 0, one.count);
        for (int step = 0; step < kSteps; ++step) {
          // Before, between and after the calls: a step is the caller's, wherever it is made.
          for (float& value : model) value += 0.25F;
          push(tensor.get(), model);
          std::this_thread::yield();
          for (float& value : model) value += 0.5F;
          exchanges += pull(tensor.get(), model);
          for (float& value : model) value -= 0.75F * static_cast<float>(rank % 2);
        }
        push(tensor.get(), model);
        drain(group, exchanges, tensor.get(), model);
        models[static_cast<std::size_t>(rank)] = std::move(model);
        group.barrier();
      });
      INFO(one.graph << ", " << ranks << " ranks, " << one.count << " elements");
      CHECK(exchanges % 2 == 0);  // both count it
      if (ranks > 1) CHECK(exchanges > 0);
      for (std::size_t i = 0; i < one.count; ++i) {
        double wanted = 0;
        for (int rank = 0; rank < ranks; ++rank) wanted += rank % 2 == 0 ? kSteps * 0.75 : 0;
        for (int rank = 0; rank < ranks; ++rank)
          wanted += static_cast<double>(normal_values(kSeed, rank, 0, i + 1).back());
        CHECK(std::abs(sum_of(models, i) - wanted) < 1e-2);
        if (i == 40) break;
      }
    }
  }
}

TEST_CASE("pairwise: all ranks come to the mean, also where all ask each other at the same time") {
  INFO("seed " << kSeed);
  for (const std::string graph : {"ring", "complete", "star"}) {
    for (const int ranks : {2, 3, 6}) {
      constexpr std::size_t kCount = 300;
      ThreadGroup group(ranks);
      std::vector<std::vector<float>> models(static_cast<std::size_t>(ranks));
      std::atomic<int> exchanges{0};
      std::atomic<int> satisfied{0};
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=pairwise topology=" + graph);
        const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "identity");
        std::vector<float> model = normal_values(kSeed, rank, 0, kCount);
        // As many steps as it takes for all to have exchanged a hundred times, whatever the threads' pace.
        for (int mine = 0; satisfied < ranks;) {
          push(tensor.get(), model);
          const int before = mine;
          const int now = pull(tensor.get(), model);
          mine += now;
          exchanges += now;
          if (before < 100 && mine >= 100) ++satisfied;
          std::this_thread::yield();
        }
        drain(group, exchanges, tensor.get(), model);
        models[static_cast<std::size_t>(rank)] = std::move(model);
        group.barrier();
      });
      INFO(graph << ", " << ranks << " ranks");
      double worst = 0;
      for (std::size_t i = 0; i < kCount; ++i) {
        double mean = 0;
        for (int rank = 0; rank < ranks; ++rank)
          mean += static_cast<double>(normal_values(kSeed, rank, 0, kCount)[i]) / ranks;
        for (const auto& model : models) worst = std::max(worst, std::abs(static_cast<double>(model[i]) - mean));
      }
      CHECK(worst < 0.01);  // of standard normal starts; a hundred exchanges are some 2^-50 on the complete graph
    }
  }
}

TEST_CASE("pairwise: a rank that is busy elsewhere answers all the same, and holds nobody") {
  constexpr std::size_t kCount = 50021;
  ThreadGroup group(3);
  std::vector<std::vector<float>> models(3);
  std::atomic<int> exchanges{0};
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=pairwise topology=star timeout=2");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "identity");
    std::vector<float> model(kCount, static_cast<float>(rank == 0 ? 0 : 3));
    exchanges += pull(tensor.get(), model);  // from now on it answers
    group.barrier();
    int mine = 0;
    while (rank != 0 && mine < 40) {  // all with rank 0, which is in the barrier below
      push(tensor.get(), model);
      std::this_thread::yield();
      mine += pull(tensor.get(), model);
    }
    exchanges += mine;
    group.barrier();
    if (rank == 0) {
      const int theirs = pull(tensor.get(), model);
      expect(theirs >= 80, "the centre took part in ", theirs, " exchanges of 80");
      exchanges += theirs;
    }
    drain(group, exchanges, tensor.get(), model);
    models[static_cast<std::size_t>(rank)] = std::move(model);
    group.barrier();
  });
  for (const std::size_t i : {std::size_t{0}, kCount - 1}) {
    CHECK(std::abs(sum_of(models, i) - 6) < 1e-4);
    for (const auto& model : models) CHECK(std::abs(model[i] - 2) < 1e-3);
  }
}

TEST_CASE("pairwise: a question, and two that cross each other, are one exchange, after which both have the mean") {
  for (const bool both : {false, true}) {
    ThreadGroup group(2);
    run_ranks(2, [&](int rank) {
      // Polling: rank 1 does not hear of the question of rank 0 before it has asked itself.
      const CommHandle comm = make_comm(group, rank, "transport=inproc progress=polling mixing=pairwise");
      const TensorHandle tensor = make_tensor(comm.get(), "w", {2}, "identity", GOSS_FLOAT64);
      double model[2] = {rank == 0 ? 1.0 : 4.0, 7.0};
      if (rank == 0) ok(goss_push(tensor.get(), model), "push");
      group.barrier();
      if (rank == 1 && both) ok(goss_push(tensor.get(), model), "push");
      int exchanges = 0;
      const auto pull = [&] {
        int now = 0;
        ok(goss_pull(tensor.get(), model, &now), "pull");
        exchanges += now;
      };
      while (exchanges == 0) pull();
      for (int i = 0; i < 20; ++i) pull(), group.barrier();
      expect(exchanges == 1, exchanges, " exchanges");
      expect(model[0] == 2.5 && model[1] == 7, "the mean of 1 and 4 is ", model[0], ", of 7 and 7 ", model[1]);
      double weight = 0;
      ok(goss_tensor_weight(tensor.get(), &weight), "weight");
      expect(weight == 1, "weight ", weight);
    });
  }
}

// A push that finds the last question open asks nobody, although its exchange, which two questions are, has been
// counted.
TEST_CASE("pairwise: two ranks that always ask at the same time exchange, and do not refuse each other") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=pairwise");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {64}, "identity");
    std::vector<float> model(64, static_cast<float>(rank));
    const Deadline deadline = Deadline::in(20);
    for (int round = 0; round < 300; ++round) {
      group.barrier();
      push(tensor.get(), model);
      while (pull(tensor.get(), model) == 0) {
        expect(!deadline.expired(), "no exchange in round ", round);
        push(tensor.get(), model);
      }
    }
    group.barrier();
  });
}

TEST_CASE("pairwise: a reset begins anew, with the model of the next call") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=pairwise");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {3}, "identity");
    std::vector<float> model(3, 100.0F);
    pull(tensor.get(), model);
    group.barrier();
    ok(goss_tensor_reset(tensor.get()), "reset");
    group.barrier();
    model.assign(3, static_cast<float>(rank));
    pull(tensor.get(), model);
    group.barrier();
    if (rank == 0) push(tensor.get(), model);
    while (pull(tensor.get(), model) == 0) std::this_thread::yield();
    expect(model[2] == 0.5F, "the mean of 0 and 1 is ", model[2]);
    group.barrier();
  });
}

TEST_CASE("pairwise: rounds, graphs that go one way, codecs, staleness and NaN are refused") {
  ThreadGroup group(4);
  run_ranks(4, [&](int rank) {
    std::vector<float> model(5000, 1);
    const auto refused = [&](const std::string& more, const std::string& codec, goss_status status,
                             const std::vector<std::string>& words) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=pairwise " + more);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {5000}, codec);
      fails(goss_push(tensor.get(), model.data()), status, words, more);
      fails(goss_pull(tensor.get(), model.data(), nullptr), status, words, more);
      group.barrier();
    };
    refused("topology=exponential", "identity", GOSS_ERR_ARGUMENT, {"pairwise", "both ways"});
    refused("staleness=1", "identity", GOSS_ERR_UNSUPPORTED, {"pairwise", "staleness=1"});
    refused("topology=ring", "int8", GOSS_ERR_UNSUPPORTED, {"'w'", "int8"});
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=pairwise");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {5000}, "identity");
    fails(goss_mix(tensor.get(), model.data()), GOSS_ERR_UNSUPPORTED, {"pairwise", "goss_push"}, "mix");
    model[1] = std::numeric_limits<float>::quiet_NaN();
    fails(goss_push(tensor.get(), model.data()), GOSS_ERR_NUMERIC, {"'w'"}, "NaN");
    group.barrier();
  });
}

}  // namespace gossamer::test
