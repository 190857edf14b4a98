// Gossip methods on graphs that change or are directed, and what does not go together.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "tests/gossip_cases.hpp"

namespace gossamer::test::gossip {

TEST_CASE("graphs that change, that are directed, and whose columns alone sum to 1") {
  const std::vector<Setting> settings = {
      {"average", "identity", "one-peer-exponential"},
      {"average", "identity", "base:k=1"},
      {"average", "identity", "matching"},
      {"average", "identity", "star"},
      {"push-sum", "identity", "exponential"},
      {"push-sum", "identity", "one-peer-exponential"},
      {"push-sum", "identity", "star", "weights=out-uniform"},
      {"push-sum", "identity", "barbell", "weights=out-uniform"},
      {"choco", "topk:ratio=0.2", "exponential"},
      {"choco", "int8", "random-regular:degree=3"},
      {"choco-push-sum", "topk:ratio=0.2", "star", "weights=out-uniform"},
      {"choco-push-sum", "int8", "path", "weights=out-uniform"},
      {"deepsqueeze", "int8", "one-peer-exponential"},
      {"moniqua:theta=12,bits=12", "identity", "base:k=2"},
  };
  for (const Setting& setting : settings) {
    for (const int ranks : {4, 6, 8}) {
      INFO(described(setting, ranks) << " " << setting.more);
      const Models before = starts(ranks);
      const std::vector<double> mean = mean_of(before);
      const Models after = mixed(setting, ranks, 300);
      CHECK(distance(after, mean) < 0.03 * distance(before, mean));
    }
  }
}

TEST_CASE("push-sum is exact on graphs where an average is biased; its weights sum to n") {
  constexpr int kRanks = 6;
  std::vector<double> weights(kRanks);
  Models models(kRanks);
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm =
        make_comm(group, rank, "transport=inproc mixing=push-sum topology=star weights=out-uniform");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, "identity", GOSS_FLOAT64);
    const std::vector<float> start = start_of(rank);
    std::vector<double> model(start.begin(), start.end());
    for (int round = 0; round < 200; ++round) ok(goss_mix(tensor.get(), model.data()), "mix");
    ok(goss_tensor_weight(tensor.get(), &weights[static_cast<std::size_t>(rank)]), "weight");
    models[static_cast<std::size_t>(rank)].assign(model.begin(), model.end());
  });
  CHECK(std::abs(std::accumulate(weights.begin(), weights.end(), 0.0) - kRanks) < 1e-12);
  CHECK(*std::ranges::max_element(weights) > 1.5);  // the centre's: without weights it would count for more
  CHECK(distance(models, mean_of(starts(kRanks))) < 1e-7);
}

/// How far ranks that began at 1 and -1 in turns are from 0, after 300 steps of momentum on h/2 x² and as many rounds.
double apart_with_momentum(const std::string& config, double curvature) {
  constexpr int kRanks = 4;
  constexpr double kMomentum = 0.9;
  std::vector<double> models(kRanks);
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=ring " + config);
    const TensorHandle tensor = make_tensor(comm.get(), "w", {1}, "identity", GOSS_FLOAT64);
    double model = rank % 2 == 0 ? 1 : -1;
    double momentum = 0;
    for (int step = 0; step < 300; ++step) {
      momentum = kMomentum * momentum + (1 - kMomentum) * curvature * model;
      model -= momentum;
      ok(goss_mix(tensor.get(), &model), "mix");
    }
    models[static_cast<std::size_t>(rank)] = std::abs(model);
  });
  return *std::ranges::max_element(models);
}

// A mode of the eigenvalue λ goes by x <- λ (x − m), which for λ < 0 diverges at a curvature of (1 + |λ|) / |λ|: here
// 4, as λ = −1/3. Without mixing it is 2 (1 + β) / (1 − β) = 38. Lazy weights have λ = 1/3.
TEST_CASE("with momentum, a negative eigenvalue of the mixing matrix makes ranks diverge; lazy weights have none") {
  CHECK(apart_with_momentum("mixing=average", 3) < 0.01);
  CHECK(apart_with_momentum("mixing=average", 5) > 100);
  CHECK(apart_with_momentum("mixing=average weights=lazy", 5) < 0.01);
  CHECK(apart_with_momentum("mixing=average weights=lazy", 30) < 0.01);
  CHECK(apart_with_momentum("mixing=choco:gamma=0.75", 30) < 0.01);  // λ = 0
  CHECK(apart_with_momentum("mixing=choco:gamma=1", 5) > 100);
}

TEST_CASE("what one graph or optimiser has left behind is refused under another; the step size is told") {
  std::vector<std::vector<char>> saved(4);
  ThreadGroup group(4);
  run_ranks(4, [&](int rank) {
    const std::string mixing = "transport=inproc min_compress=0 mixing=choco ";
    {
      const CommHandle comm = make_comm(group, rank, mixing);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, "int8");
      std::vector<float> model = start_of(rank);
      for (int round = 0; round < 3; ++round) ok(goss_mix(tensor.get(), model.data()), "mix");
      expect(describe(comm.get()).find("step size 1, halved 0 times") != std::string::npos, describe(comm.get()));
      std::size_t bytes = 0;
      ok(goss_tensor_save(tensor.get(), nullptr, 0, &bytes), "save");
      saved[static_cast<std::size_t>(rank)].resize(bytes);
      ok(goss_tensor_save(tensor.get(), saved[static_cast<std::size_t>(rank)].data(), bytes, &bytes), "save");
      group.barrier();
    }
    for (const std::string other : {"topology=exponential", "outer=slowmo", "mixing=dcd"}) {
      const bool method = other.starts_with("mixing");
      const CommHandle comm =
          make_comm(group, rank, method ? "transport=inproc min_compress=0 " + other : mixing + other);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, "int8");
      const std::vector<char>& mine = saved[static_cast<std::size_t>(rank)];
      fails(goss_tensor_load(tensor.get(), mine.data(), mine.size()), GOSS_ERR_MISMATCH, {"'w'", "gossip"}, other);
      group.barrier();
    }
  });
}

TEST_CASE("weights that do not suit the method, and graphs that do not stay, are refused") {
  ThreadGroup group(4);
  run_ranks(4, [&](int rank) {
    const auto refused = [&](const std::string& config, const std::string& codec, goss_status status,
                             const std::vector<std::string>& words) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 " + config);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {8, 4}, codec);
      std::vector<float> data(32, 1.0F);
      fails(goss_mix(tensor.get(), data.data()), status, words, config);
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), "all-reduce");
    };
    refused("topology=star weights=out-uniform", "identity", GOSS_ERR_ARGUMENT,
            {"average", "rank 0", "row", "star", "push-sum"});
    refused("topology=star weights=uniform mixing=push-sum", "identity", GOSS_ERR_ARGUMENT, {"push-sum", "column"});
    refused("topology=matching mixing=choco", "int8", GOSS_ERR_ARGUMENT, {"choco", "matching", "stays"});
    refused("topology=matching mixing=deepsqueeze", "powersgd:rank=1", GOSS_ERR_UNSUPPORTED, {"powersgd", "matching"});
  });
}

}  // namespace gossamer::test::gossip
