// Local methods: steps without exchanges, and optimisers over exchanges.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 77;
constexpr std::size_t kCount = 40;
constexpr double kRate = 0.1;

/// Least squares towards a target of each rank's own: the gradient is x − target.
std::vector<double> target_of(int rank) {
  const std::vector<float> values = normal_values(kSeed, rank, 0, kCount);
  return {values.begin(), values.end()};
}

/// One rank's model after so many steps of gradient descent, each followed by goss_mix.
using Run = std::vector<std::vector<double>>;

Run train(const std::string& config, int ranks, int steps) {
  Run models(static_cast<std::size_t>(ranks));
  ThreadGroup group(ranks);
  run_ranks(ranks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=complete " + config);
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "identity", GOSS_FLOAT64);
    std::vector<double> model(kCount, 1.0);
    const std::vector<double> target = target_of(rank);
    for (int step = 0; step < steps; ++step) {
      for (std::size_t i = 0; i < kCount; ++i) model[i] -= kRate * (model[i] - target[i]);
      ok(goss_mix(tensor.get(), model.data()), config);
    }
    models[static_cast<std::size_t>(rank)] = std::move(model);
  });
  return models;
}

/// The same in float64 without the library: H local steps, a mean, an outer step.
struct Rule {
  double alpha = 1, beta = 0;
  bool nesterov = false;
};

Run expected(int ranks, int steps, int every, int from, const Rule& rule, bool outer) {
  Run models(static_cast<std::size_t>(ranks), std::vector<double>(kCount, 1.0));
  std::vector<double> start, u(kCount, 0.0);
  for (int step = 0; step < steps; ++step) {
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<double> target = target_of(rank);
      for (std::size_t i = 0; i < kCount; ++i) {
        double& x = models[static_cast<std::size_t>(rank)][i];
        x -= kRate * (x - target[i]);
      }
    }
    if (step >= from && (step - from + 1) % every != 0) continue;
    std::vector<double> mean(kCount, 0.0);
    for (const std::vector<double>& model : models) {
      for (std::size_t i = 0; i < kCount; ++i) mean[i] += model[i] / ranks;
    }
    for (std::size_t i = 0; outer && !start.empty() && i < kCount; ++i) {
      const double descent = start[i] - mean[i];
      u[i] = rule.beta * u[i] + descent;
      mean[i] = start[i] - rule.alpha * (rule.nesterov ? descent + rule.beta * u[i] : u[i]);
    }
    start = mean;
    for (std::vector<double>& model : models) model = mean;
  }
  return models;
}

double difference(const Run& a, const Run& b) {
  double worst = 0;
  for (std::size_t rank = 0; rank < a.size(); ++rank) {
    for (std::size_t i = 0; i < kCount; ++i) worst = std::max(worst, std::abs(a[rank][i] - b[rank][i]));
  }
  return worst;
}

}  // namespace

TEST_CASE("one group that exchanges after every step is plain gradient descent on the mean") {
  INFO("seed " << kSeed);
  for (const int ranks : {1, 2, 5}) {
    for (const std::string mixing : {"average", "mean"}) {
      std::vector<double> plain(kCount, 1.0);
      for (int step = 0; step < 30; ++step) {
        for (std::size_t i = 0; i < kCount; ++i) {
          double gradient = 0;
          for (int rank = 0; rank < ranks; ++rank) gradient += (plain[i] - target_of(rank)[i]) / ranks;
          plain[i] -= kRate * gradient;
        }
      }
      const Run models = train("mixing=" + mixing + " every=1", ranks, 30);
      CHECK(difference(models, Run(models.size(), plain)) < 1e-12);
    }
  }
}

TEST_CASE("local steps, post-local switching and outer optimisers do what their formulas say") {
  INFO("seed " << kSeed);
  struct Case {
    std::string config;
    int every = 1, from = 0;
    Rule rule;
    bool outer = false;
  };
  for (const Case& each : {
           Case{"every=4", 4, 0, {}, false},
           Case{"every=5 every_from=7", 5, 7, {}, false},
           Case{"every=4 outer=slowmo:beta=0.5", 4, 0, {1, 0.5, false}, true},
           Case{"every=3 outer=slowmo:alpha=0.8,beta=0.2", 3, 0, {0.8, 0.2, false}, true},
           Case{"every=4 outer=bmuf", 4, 0, {1, 0.75, false}, true},
           Case{"every=4 outer=bmuf:eta=0.5,zeta=0.9,nesterov=on", 4, 0, {0.9, 0.5, true}, true},
           Case{"every=4 outer=nesterov", 4, 0, {0.7, 0.9, true}, true},
           Case{"every=6 every_from=5 outer=slowmo:beta=0.3", 6, 5, {1, 0.3, false}, true},
           Case{"every=4 outer=slowmo:beta=0", 4, 0, {}, false},
           Case{"every=4 outer=nesterov:rate=1,momentum=0", 4, 0, {}, false},
       }) {
    const Run wanted = expected(4, 40, each.every, each.from, each.rule, each.outer);
    INFO(each.config);
    // An outer optimiser works in float32.
    const double rounding = each.config.find("outer") == std::string::npos ? 1e-12 : 1e-5;
    for (const std::string mixing : {"average", "mean"}) {
      CHECK(difference(train("mixing=" + mixing + " " + each.config, 4, 40), wanted) < rounding);
    }
  }
}

TEST_CASE("between exchanges nothing is sent; what an outer optimiser remembers is saved") {
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=mean every=4 outer=nesterov");
    TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "identity");
    std::vector<float> model = normal_values(kSeed, rank, 1, kCount);
    const auto step = [&](int count) {
      for (int i = 0; i < count; ++i) ok(goss_mix(tensor.get(), model.data()), "mix");
    };
    const auto sent = [&] {
      goss_stats stats{};
      stats.struct_size = sizeof stats;
      ok(goss_tensor_stats(tensor.get(), &stats), "stats");
      return stats.bytes_sent;
    };
    step(3);
    expect(sent() == 0, "sent ", sent(), " bytes before the fourth call");
    step(7);
    expect(sent() > 0, "nothing sent");
    std::size_t bytes = 0;
    ok(goss_tensor_save(tensor.get(), nullptr, 0, &bytes), "save");
    std::vector<char> saved(bytes);
    ok(goss_tensor_save(tensor.get(), saved.data(), bytes, &bytes), "save");
    const std::vector<float> here = model;
    step(9);
    const std::vector<float> uninterrupted = model;
    tensor.reset();
    group.barrier();
    tensor = make_tensor(comm.get(), "w", {kCount}, "identity");
    ok(goss_tensor_load(tensor.get(), saved.data(), bytes), "load");
    model = here;
    step(9);
    expect(same_bits(model, uninterrupted), "not the same after a restart");
  });
}

TEST_CASE("outer optimisers and keys that are unknown are refused") {
  ThreadGroup group(1);
  run_ranks(1, [&](int rank) {
    const auto refused = [&](const std::string& config, const std::vector<std::string>& words) {
      const goss_bootstrap bootstrap = group.bootstrap(rank);
      goss_comm* comm = nullptr;
      fails(goss_comm_create(&bootstrap, ("transport=inproc " + config).c_str(), &comm), GOSS_ERR_ARGUMENT, words,
            config);
    };
    refused("outer=adam", {"adam", "none", "slowmo", "bmuf", "nesterov"});
    refused("outer=slowmo:rate=1", {"rate", "alpha", "beta"});
    refused("outer=slowmo:beta=1", {"beta", "1"});
    refused("every=0", {"every", "0"});
  });
}

}  // namespace gossamer::test
