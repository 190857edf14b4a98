#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "compress/sparse_payload.hpp"
#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

/// Momentum before a selection: against float64, and in the cases that theory reduces to something simpler.
namespace gossamer::test {
namespace {

using Doubles = std::vector<double>;

constexpr std::uint64_t kSeed = 31;

/// What all ranks get of `calls` calls with normal gradients, by call.
std::vector<std::vector<float>> run(int ranks, const std::string& spec, std::size_t count, int calls) {
  std::vector<std::vector<float>> results(static_cast<std::size_t>(calls));
  ThreadGroup group(ranks);
  run_ranks(ranks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {count}, spec);
    for (int call = 0; call < calls; ++call) {
      std::vector<float> data = normal_values(kSeed, rank, call, count);
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), spec);
      if (rank == 0) results[static_cast<std::size_t>(call)] = std::move(data);
    }
  });
  return results;
}

double worst_difference(std::span<const float> values, const Doubles& oracle) {
  double worst = 0;
  for (std::size_t i = 0; i < oracle.size(); ++i) worst = std::max(worst, std::abs(values[i] - oracle[i]));
  return worst;
}

/// The paper's algorithm on one rank, in float64.
struct Oracle {
  double momentum = 0.9;
  double clip = 0;
  bool nesterov = false;
  bool masking = true;
  Doubles u{};
  Doubles v{};

  Doubles step(const std::vector<float>& input, std::size_t k) {
    u.resize(input.size());
    v.resize(input.size());
    Doubles g(input.begin(), input.end());
    const double norm = std::sqrt(std::inner_product(g.begin(), g.end(), g.begin(), 0.0));
    if (clip > 0 && norm > clip) std::for_each(g.begin(), g.end(), [&](double& x) { x *= clip / norm; });
    for (std::size_t i = 0; i < g.size(); ++i) {
      u[i] = nesterov ? momentum * (u[i] + g[i]) : momentum * u[i] + g[i];
      v[i] += nesterov ? u[i] + g[i] : u[i];
    }
    std::vector<std::size_t> order(g.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return std::abs(v[a]) > std::abs(v[b]); });
    Doubles sent(g.size());
    for (std::size_t i = 0; i < k; ++i) {
      std::swap(sent[order[i]], v[order[i]]);
      if (masking) u[order[i]] = 0;
    }
    return sent;
  }
};

}  // namespace

TEST_CASE("dgc does what the paper's algorithm does in float64: plain, Nesterov, clipped, without masking") {
  constexpr std::size_t kCount = 1000;  // up to 1024 values the selection is exact
  const std::pair<std::string, Oracle> variants[] = {
      {"momentum=0.9", {}},
      {"momentum=0.9,nesterov=on", {.nesterov = true}},
      {"momentum=0.5,clip=7", {.momentum = 0.5, .clip = 7}},
      {"momentum=0.9,masking=off", {.masking = false}},
  };
  for (const auto& [options, start] : variants) {
    INFO(options, ", seed ", kSeed);
    const auto results = run(1, "dgc:ratio=0.02," + options, kCount, 25);
    Oracle oracle = start;
    for (int call = 0; call < 25; ++call) {
      const Doubles sent = oracle.step(normal_values(kSeed, 0, call, kCount), 20);
      CHECK(worst_difference(results[static_cast<std::size_t>(call)], sent) < 1e-4);
    }
  }
}

TEST_CASE("dgc:ratio=1 is momentum SGD, with masking too, which would make it plain SGD") {
  constexpr std::size_t kCount = 777;
  const auto masked = run(3, "dgc:ratio=1,momentum=0.9", kCount, 10);
  const auto unmasked = run(3, "dgc:ratio=1,momentum=0.9,masking=off", kCount, 10);
  Doubles momentum(kCount);
  for (int call = 0; call < 10; ++call) {
    for (double& value : momentum) value *= 0.9;
    for (int rank = 0; rank < 3; ++rank) {
      const std::vector<float> gradient = normal_values(kSeed, rank, call, kCount);
      for (std::size_t i = 0; i < kCount; ++i) momentum[i] += gradient[i];
    }
    const auto& result = masked[static_cast<std::size_t>(call)];
    CHECK(worst_difference(result, momentum) < 1e-5);
    CHECK(same_bits(result, unmasked[static_cast<std::size_t>(call)]));
  }
}

TEST_CASE("dgc clips each of n ranks to 1/sqrt(n) of the norm") {
  constexpr std::size_t kCount = 500;
  const auto results = run(4, "dgc:ratio=1,momentum=0,clip=3", kCount, 1);
  Doubles sum(kCount);
  for (int rank = 0; rank < 4; ++rank) {
    const std::vector<float> gradient = normal_values(kSeed, rank, 0, kCount);
    double squares = 0;
    for (const float value : gradient) squares += static_cast<double>(value) * static_cast<double>(value);
    for (std::size_t i = 0; i < kCount; ++i) sum[i] += gradient[i] * (3 / std::sqrt(4.0)) / std::sqrt(squares);
  }
  CHECK(worst_difference(results[0], sum) < 1e-6);
}

TEST_CASE("dgc warms up by the paper's densities: 25, 6.25, 1.56, 0.4 and 0.1 percent") {
  constexpr std::size_t kCount = 1000;
  const auto results = run(1, "dgc:ratio=0.001,warmup=4,momentum=0", kCount, 6);
  const std::size_t expected[] = {250, 62, 15, 3, 1, 1};  // of 1000, rounded down
  for (std::size_t call = 0; call < 6; ++call) {
    const auto kept = std::count_if(results[call].begin(), results[call].end(), [](float x) { return x != 0; });
    CHECK(static_cast<std::size_t>(kept) == expected[call]);
  }
}

TEST_CASE("dgc's sampled threshold keeps from 0.8 to 1.3 of what it should, whatever the distribution") {
  constexpr std::size_t kCount = 300000;
  for (const double ratio : {0.001, 0.01, 0.1}) {
    for (const int power : {1, 3, 9}) {
      for (std::uint32_t seed = 0; seed < 4; ++seed) {
        INFO("ratio ", ratio, ", normal values to the power ", power, ", seed ", seed);
        std::vector<float> values = make_input("normal", kCount, seed);
        for (float& value : values) value = std::pow(value, static_cast<float>(power));
        Subject dgc(sentence("dgc:ratio=", ratio), values);
        const double kept = static_cast<double>(SparsePayload::parse(dgc.encode(), kCount).entries) / (ratio * kCount);
        CHECK(kept >= 0.8);
        CHECK(kept <= 1.3);
      }
    }
  }
}

TEST_CASE("dgc saves its momentum and keeps sums of it finite") {
  std::vector<float> gradient(100, 2e38F);
  const auto made = make_codec("dgc:ratio=0.01,masking=off", Shape{DType::float32, {100}}).codec;
  auto& conditioner = dynamic_cast<Conditioner&>(*made);
  for (int step = 0; step < 20; ++step) {
    std::vector<float> values = gradient;
    conditioner.condition(chunk_of(values), {});
    CHECK(std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }));
  }
  CHECK(made->state().size() == 100);
  CHECK(made->state()[5] > 3e38F);
  made->reset();
  CHECK(made->state()[5] == 0.0F);
}

TEST_CASE("dgc refuses options out of range") {
  for (const char* spec : {"dgc:ratio=0", "dgc:momentum=1", "dgc:momentum=-0.1", "dgc:clip=-1", "dgc:nesterov=yes",
                           "dgc:masking=1", "dgc:warmup=-1", "dgc:warmup=1.5", "dgc:merge=union"}) {
    INFO(std::string(spec));
    CHECK_THROWS_AS(make_codec(spec, Shape{DType::float32, {100}}), Error);
  }
}

}  // namespace gossamer::test
