// Bounded staleness: no rank is more pushes ahead of those it receives from than was agreed, and nobody waits for ever.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <random>
#include <thread>
#include <vector>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 1414;
constexpr std::size_t kCount = 257;

std::vector<int> in_neighbours(const goss_comm* comm) {
  std::vector<int> ranks(64);
  int count = 0;
  ok(goss_comm_neighbours(comm, 0, ranks.data(), nullptr, 64, &count, nullptr), "goss_comm_neighbours");
  ranks.resize(static_cast<std::size_t>(count));
  return ranks;
}

int pull(goss_tensor* tensor, std::vector<float>& model) {
  int messages = -1;
  ok(goss_pull(tensor, model.data(), &messages), "goss_pull");
  return messages;
}

double weight_of(const goss_tensor* tensor) {
  double weight = 0;
  ok(goss_tensor_weight(tensor, &weight), "goss_tensor_weight");
  return weight;
}

}  // namespace

TEST_CASE("staleness=S: after a pull no rank is more than S pushes ahead of an in-neighbour, and all come to the end") {
  INFO("seed " << kSeed);
  constexpr int kSteps = 60;
  for (const std::string topology : {"ring", "exponential", "star weights=out-uniform", "complete"}) {
    for (const int staleness : {0, 1, 3}) {
      constexpr int kRanks = 6;
      std::vector<std::atomic<int>> begun(kRanks);  // pushes
      std::vector<double> weights(kRanks);
      std::vector<std::vector<float>> models(kRanks);
      std::atomic<int> arrivals{0};
      ThreadGroup group(kRanks);
      run_ranks(kRanks, [&](int rank) {
        const auto mine = static_cast<std::size_t>(rank);
        const CommHandle comm =
            make_comm(group, rank, sentence("transport=inproc staleness=", staleness, " topology=", topology));
        const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "identity");
        const std::vector<int> sources = in_neighbours(comm.get());
        std::vector<float> model = normal_values(kSeed, rank, 0, kCount);
        std::minstd_rand random(static_cast<unsigned>(kSeed) + static_cast<unsigned>(rank));
        for (int step = 1; step <= kSteps; ++step) {
          for (unsigned turns = random() % 8; turns > 0; --turns) std::this_thread::yield();
          ++begun[mine];
          ok(goss_push(tensor.get(), model.data()), "goss_push");
          pull(tensor.get(), model);
          for (const int source : sources) {
            const int theirs = begun[static_cast<std::size_t>(source)];
            expect(step <= theirs + staleness, topology, ", staleness=", staleness, ": rank ", rank, " has pushed ",
                   step, " times, rank ", source, " only ", theirs);
          }
        }
        for (int seen = -1, quiet = 0; quiet < 20;) {
          group.barrier();
          arrivals += pull(tensor.get(), model);
          group.barrier();
          const int now = arrivals;
          quiet = now == seen ? quiet + 1 : 0;
          seen = now;
        }
        weights[mine] = weight_of(tensor.get());
        models[mine] = std::move(model);
        group.barrier();
      });
      INFO(topology << ", staleness=" << staleness);
      double weight = 0;
      for (const double each : weights) weight += each;
      CHECK(std::abs(weight - kRanks) < 1e-11);
      for (std::size_t i = 0; i < kCount; ++i) {
        double missing = 0;
        for (int rank = 0; rank < kRanks; ++rank) {
          const auto r = static_cast<std::size_t>(rank);
          missing += weights[r] * static_cast<double>(models[r][i]) -
                     static_cast<double>(normal_values(kSeed, rank, 0, kCount)[i]);
        }
        CHECK(std::abs(missing) < 1e-4);
      }
    }
  }
}

TEST_CASE(
    "staleness=S lets a rank be S pushes ahead, and makes its next pull wait until the other pushes or the time is "
    "up") {
  constexpr int kStaleness = 4;
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, sentence("transport=inproc timeout=1 staleness=", kStaleness));
    const TensorHandle tensor = make_tensor(comm.get(), "w", {4}, "identity");
    std::vector<float> model(4, static_cast<float>(rank));
    const auto step = [&] {
      ok(goss_push(tensor.get(), model.data()), "goss_push");
      pull(tensor.get(), model);
    };
    for (int i = 0; i < kStaleness && rank == 1; ++i) step();  // rank 0 has not pushed yet
    group.barrier();
    for (int i = 0; i < 3 && rank == 0; ++i) step();  // behind: it need not wait
    group.barrier();
    for (int i = 0; i < 3 && rank == 1; ++i) step();
    group.barrier();
    if (rank == 1) {
      ok(goss_push(tensor.get(), model.data()), "goss_push");
      fails(goss_pull(tensor.get(), model.data(), nullptr), GOSS_ERR_TIMEOUT, {"rank 0", "'w'", "keeping pace"},
            "pull");
    }
    group.barrier();
  });
}

TEST_CASE("staleness: a rank that only pulls waits for nobody; counts are saved and forgotten by a reset") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc timeout=1 staleness=0");
    TensorHandle tensor = make_tensor(comm.get(), "w", {4}, "identity");
    std::vector<float> model(4, 1.0F);
    if (rank == 0) pull(tensor.get(), model), pull(tensor.get(), model);
    group.barrier();
    const auto steps = [&](int count) {
      for (int i = 0; i < count; ++i) ok(goss_push(tensor.get(), model.data()), "goss_push"), pull(tensor.get(), model);
    };
    steps(5);
    std::size_t bytes = 0;
    ok(goss_tensor_save(tensor.get(), nullptr, 0, &bytes), "save");
    std::vector<char> saved(bytes);
    ok(goss_tensor_save(tensor.get(), saved.data(), bytes, &bytes), "save");
    group.barrier();
    tensor.reset();
    tensor = make_tensor(comm.get(), "w", {4}, "identity");
    ok(goss_tensor_load(tensor.get(), saved.data(), bytes), "load");
    pull(tensor.get(), model);  // as far as the other, as far as is known
    group.barrier();
    steps(5);
    group.barrier();
    tensor.reset();
    tensor = make_tensor(comm.get(), "v", {4}, "identity");
    steps(5);
    ok(goss_tensor_reset(tensor.get()), "reset");
    pull(tensor.get(), model);
    group.barrier();
  });
}

TEST_CASE("staleness: values that are none, and graphs that change, are refused") {
  ThreadGroup group(4);
  run_ranks(4, [&](int rank) {
    const goss_bootstrap bootstrap = group.bootstrap(rank);
    goss_comm* none = nullptr;
    for (const std::string value : {"-1", "some", "1.5"}) {
      fails(goss_comm_create(&bootstrap, ("transport=inproc staleness=" + value).c_str(), &none), GOSS_ERR_ARGUMENT,
            {"staleness", value}, value);
    }
    const CommHandle comm = make_comm(group, rank, "transport=inproc staleness=2 topology=one-peer-exponential");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {4}, "identity");
    std::vector<float> model(4, 1.0F);
    fails(goss_push(tensor.get(), model.data()), GOSS_ERR_ARGUMENT, {"staleness=2", "one-peer-exponential"}, "graph");
  });
}

}  // namespace gossamer::test
