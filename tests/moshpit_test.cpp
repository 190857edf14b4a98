// mixing=moshpit: exact means within the groups of a graph, at what an all-reduce costs.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "tests/gossip_cases.hpp"

namespace gossamer::test::gossip {
namespace {

constexpr double kUnit = 0x1p-24;
constexpr std::size_t kRecord = 16;

std::vector<std::size_t> prime_factors(std::size_t n) {
  std::vector<std::size_t> factors;
  for (std::size_t factor = 2; n > 1; ++factor) {
    for (; n % factor == 0; n /= factor) factors.push_back(factor);
  }
  return factors;
}

std::string grid_of(const std::vector<std::size_t>& axes) {
  std::string spec = "moshpit:1x1";
  for (const std::size_t axis : axes) spec += sentence("x", axis);
  return spec;
}

std::uint64_t sent_by(goss_tensor* tensor) {
  goss_stats stats{};
  stats.struct_size = sizeof stats;
  ok(goss_tensor_stats(tensor, &stats), "stats");
  return stats.bytes_sent;
}

}  // namespace

TEST_CASE(
    "moshpit: every grid of up to 64 ranks has the mean after a round for each axis, and pays 2(M - 1)/M for each") {
  constexpr std::size_t kValues = 101;
  std::vector<std::size_t> sizes(24);
  std::iota(sizes.begin(), sizes.end(), std::size_t{1});
  sizes.insert(sizes.end(), {27, 30, 32, 36, 49, 60, 64});
  for (const std::size_t n : sizes) {
    const std::vector<std::size_t> axes = prime_factors(n);
    std::vector<double> mean(kValues), magnitude(kValues);
    for (std::size_t rank = 0; rank < n; ++rank) {
      const std::vector<float> theirs = normal_values(kSeed, static_cast<int>(rank), 30, kValues);
      for (std::size_t i = 0; i < kValues; ++i) mean[i] += static_cast<double>(theirs[i]) / static_cast<double>(n);
      for (std::size_t i = 0; i < kValues; ++i) magnitude[i] += std::abs(static_cast<double>(theirs[i]));
    }
    // Of each axis M − 1 sums and a division, of values that are together no larger than all.
    double roundings = 0;
    for (const std::size_t axis : axes) roundings += static_cast<double>(axis);
    std::vector<std::atomic<std::uint64_t>> sent(axes.size());
    ThreadGroup group(static_cast<int>(n));
    run_ranks(static_cast<int>(n), [&](int rank) {
      const CommHandle comm =
          make_comm(group, rank, "transport=inproc progress=polling mixing=moshpit topology=" + grid_of(axes));
      const TensorHandle tensor = make_tensor(comm.get(), "w", {kValues}, "identity");
      std::vector<float> model = normal_values(kSeed, rank, 30, kValues);
      for (std::size_t axis = 0; axis < axes.size(); ++axis) {
        const std::uint64_t before = sent_by(tensor.get());
        ok(goss_mix(tensor.get(), model.data()), "mix");
        sent[axis] += sent_by(tensor.get()) - before;
      }
      for (std::size_t i = 0; i < kValues; ++i) {
        const double off = std::abs(static_cast<double>(model[i]) - mean[i]);
        expect(off <= roundings * kUnit * magnitude[i] / static_cast<double>(n) * 2, "seed ", kSeed, ", ", n,
               " ranks: element ", i, " is off by ", off);
      }
      ok(goss_mix(tensor.get(), model.data()), "mix again");
    });
    INFO(n << " ranks");
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      const std::size_t m = axes[axis];
      CHECK(sent[axis] == n / m * 2 * (m - 1) * kValues * sizeof(float) + n * (m - 1) * kRecord);
    }
  }
}

TEST_CASE("moshpit: any graph of groups does, with the steps of its average; other types as well") {
  for (const std::string topology : {"matching", "complete", "moshpit:3x2", "ring"}) {
    const int ranks = topology == "ring" ? 3 : 6;
    INFO(topology);
    const Models mine = mixed({"moshpit", "identity", topology}, ranks, 4);
    const Models wanted = mixed({"average", "identity", topology}, ranks, 4);
    for (std::size_t rank = 0; rank < mine.size(); ++rank) {
      double worst = 0;
      for (std::size_t i = 0; i < kCount; ++i)
        worst = std::max(worst, std::abs(static_cast<double>(mine[rank][i] - wanted[rank][i])));
      CHECK(worst < 4 * 6 * kUnit * 8);  // four rounds of up to six roundings, of values below 8
    }
  }
  ThreadGroup group(4);
  run_ranks(4, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=moshpit topology=moshpit:2x2");
    const TensorHandle doubles = make_tensor(comm.get(), "d", {1}, "identity", GOSS_FLOAT64);
    const TensorHandle halves = make_tensor(comm.get(), "h", {1}, "identity", GOSS_FLOAT16);
    const TensorHandle none = make_tensor(comm.get(), "n", {0}, "identity");
    double value = rank;
    std::uint16_t half = rank % 2 == 0 ? 0x7bff : 0x7800;  // 65504, the largest, and 32768
    for (int round = 0; round < 2; ++round) {
      ok(goss_mix(doubles.get(), &value), "float64");
      ok(goss_mix(halves.get(), &half), "float16");
      ok(goss_mix(none.get(), nullptr), "nothing");
    }
    expect(value == 1.5, "the mean of 0 to 3 is ", value);
    expect(half == 0x7a00, "the mean of 65504 and 32768, to the next half: ", half);  // 49152
  });
}

TEST_CASE("moshpit: a group refuses NaN and keeps its models, the others go on; the axis is saved") {
  ThreadGroup group(6);
  Models models(6);
  run_ranks(6, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=moshpit topology=moshpit:3x2");
    TensorHandle tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, "identity");
    std::vector<float> model = start_of(rank);
    if (rank == 4) model[5] = std::numeric_limits<float>::infinity();
    const std::vector<float> given = model;
    const goss_status status = goss_mix(tensor.get(), model.data());
    if (rank < 3) {
      ok(status, "the group of ranks 0 to 2");
    } else {
      fails(status, GOSS_ERR_NUMERIC, {"'w'", "rank 4"}, "the group of ranks 3 to 5");
      expect(same_bits(model, given), "rank ", rank, "'s model was touched");
    }
    std::size_t bytes = 0;
    ok(goss_tensor_save(tensor.get(), nullptr, 0, &bytes), "save");
    std::vector<char> saved(bytes);
    ok(goss_tensor_save(tensor.get(), saved.data(), bytes, &bytes), "save");
    group.barrier();
    tensor.reset();
    tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, "identity");
    ok(goss_tensor_load(tensor.get(), saved.data(), bytes), "load");
    model = start_of(rank);
    // The second axis first, then the first.
    for (int round = 0; round < 2; ++round) ok(goss_mix(tensor.get(), model.data()), "mix");
    models[static_cast<std::size_t>(rank)] = std::move(model);
  });
  CHECK(distance(models, mean_of(starts(6))) < 1e-6);
}

TEST_CASE("moshpit: graphs without groups, codecs, and members that make another call are refused") {
  ThreadGroup group(6);
  run_ranks(6, [&](int rank) {
    std::vector<float> data(32, 1.0F);
    for (const std::string topology : {"ring", "exponential", "star"}) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=moshpit topology=" + topology);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {8, 4}, "identity");
      fails(goss_mix(tensor.get(), data.data()), GOSS_ERR_ARGUMENT, {"moshpit", "groups", topology}, topology);
      group.barrier();
    }
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=moshpit topology=complete min_compress=0");
    const TensorHandle lossy = make_tensor(comm.get(), "v", {8, 4}, "int8");
    fails(goss_mix(lossy.get(), data.data()), GOSS_ERR_UNSUPPORTED, {"'v'", "int8", "moshpit"}, "codec");
  });
  ThreadGroup pair(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(pair, rank, "transport=inproc mixing=moshpit topology=moshpit:1x2");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {4}, "identity");
    std::vector<float> data(4, 1.0F);
    const goss_status status =
        rank == 0 ? goss_mix(tensor.get(), data.data()) : goss_allreduce(tensor.get(), data.data(), GOSS_SUM);
    fails(status, GOSS_ERR_MISMATCH, {"'w'", "gossip, round 0", "all-reduce"}, "another call");
  });
}

}  // namespace gossamer::test::gossip
