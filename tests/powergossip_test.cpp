// PowerGossip: what two neighbours learn of their difference is an orthogonal part of it, and they share it evenly.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "tests/gossip_cases.hpp"

namespace gossamer::test::gossip {
namespace {

constexpr std::size_t kNote = 16;

/// Models of two ranks that differ by a matrix of this rank.
Models apart_by(std::size_t rank) {
  Models models(2, normal_values(kSeed, -1, 20, kCount));
  for (std::size_t k = 0; k < rank; ++k) {
    const std::vector<float> left = normal_values(kSeed, static_cast<int>(k), 21, kRows);
    const std::vector<float> right = normal_values(kSeed, static_cast<int>(k), 22, kColumns);
    for (std::size_t i = 0; i < kCount; ++i) models[1][i] += left[i / kColumns] * right[i % kColumns];
  }
  return models;
}

/// The models before the first round and after each.
std::vector<Models> course(const std::string& config, const Models& start, int rounds) {
  const int ranks = static_cast<int>(start.size());
  std::vector<Models> all(static_cast<std::size_t>(rounds) + 1, start);
  ThreadGroup group(ranks);
  run_ranks(ranks, [&](int rank) {
    const auto mine = static_cast<std::size_t>(rank);
    const CommHandle comm = make_comm(group, rank, "transport=inproc " + config);
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, "identity");
    std::vector<float> model = start[mine];
    for (std::size_t round = 1; round < all.size(); ++round) {
      ok(goss_mix(tensor.get(), model.data()), config);
      all[round][mine] = model;
    }
  });
  return all;
}

double squared_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    squares += (static_cast<double>(a[i]) - static_cast<double>(b[i])) *
               (static_cast<double>(a[i]) - static_cast<double>(b[i]));
  }
  return squares;
}

}  // namespace

TEST_CASE(
    "powergossip: two ranks whose models differ by a matrix of the rank agree after an iteration on either side") {
  for (const std::size_t rank : {1UL, 3UL}) {
    const Models start = apart_by(rank);
    const std::vector<double> mean = mean_of(start);
    for (const std::string& keys : {sentence("rank=", rank), sentence("rank=", rank, ",iterations=2")}) {
      INFO("seed " << kSeed << ", " << keys);
      const std::vector<Models> models = course("mixing=powergossip:" + keys, start, 2);
      const bool both_in_one = keys.ends_with("2");
      CHECK(distance(models[both_in_one ? 1 : 2], mean) < 1e-5);
      if (!both_in_one) CHECK(distance(models[1], mean) > 0.1);
    }
  }
}

TEST_CASE("powergossip: what two ranks lose of their difference is orthogonal to what stays") {
  INFO("seed " << kSeed);
  const std::vector<Models> models = course("mixing=powergossip:rank=2", starts(2), 12);
  for (std::size_t round = 1; round < models.size(); ++round) {
    std::vector<float> lost(kCount), left(kCount), before(kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      before[i] = models[round - 1][0][i] - models[round - 1][1][i];
      left[i] = models[round][0][i] - models[round][1][i];
      lost[i] = before[i] - left[i];
    }
    const std::vector<float> zero(kCount);
    const double whole = squared_distance(before, zero);
    CHECK(std::abs(squared_distance(left, zero) + squared_distance(lost, zero) - whole) < 1e-5 * whole);
    CHECK(squared_distance(lost, zero) > 0.02 * whole);
  }
}

TEST_CASE("powergossip: a rank as large as the smaller side is the average's step, bit by bit, and so are vectors") {
  for (const std::string topology : {"ring", "torus:3x2"}) {
    INFO(topology);
    const Models start = starts(6);
    const std::string graph = "topology=" + topology + " mixing=";
    CHECK(course(graph + "powergossip:rank=20", start, 3) == course(graph + "average", start, 3));
    CHECK(course(graph + "powergossip:rank=1000", start, 1) == course(graph + "average", start, 1));
    CHECK(course(graph + "powergossip:rank=19", start, 1) != course(graph + "average", start, 1));
  }
}

TEST_CASE("powergossip: on every graph the mean stays, the ranks never move apart, and they come together") {
  for (const std::string topology :
       {"ring", "torus:4x2", "hypercube", "complete", "star", "random-regular:degree=3", "erdos-renyi:p=0.5"}) {
    INFO("seed " << kSeed << ", " << topology);
    const std::vector<Models> models = course("topology=" + topology + " mixing=powergossip", starts(8), 400);
    const std::vector<double> mean = mean_of(models.front());
    for (std::size_t round = 1; round < models.size(); ++round) {
      CHECK(distance(models[round], mean) <= distance(models[round - 1], mean) * (1 + 1e-6) + 1e-6);
    }
    CHECK(distance(models.back(), mean) < 0.3 * distance(models.front(), mean));
    Models centre(1);
    for (const double value : mean_of(models.back())) centre.front().push_back(static_cast<float>(value));
    CHECK(distance(centre, mean) < drift("powergossip"));
  }
}

TEST_CASE("powergossip sends to each neighbour the product with a factor, of one side and the other in turn") {
  ThreadGroup group(4);
  run_ranks(4, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=powergossip:rank=3,iterations=2");
    const TensorHandle matrix = make_tensor(comm.get(), "m", {kRows, 4, 5}, "identity");
    const TensorHandle vector = make_tensor(comm.get(), "v", {kCount}, "identity");
    const auto sent_by_a_round = [](goss_tensor* tensor, std::vector<float> model) {
      const auto sent = [&] {
        goss_stats stats{};
        stats.struct_size = sizeof stats;
        ok(goss_tensor_stats(tensor, &stats), "stats");
        return stats.bytes_sent;
      };
      const std::uint64_t before = sent();
      ok(goss_mix(tensor, model.data()), "mix");
      return sent() - before;
    };
    for (int round = 0; round < 3; ++round) {
      const std::uint64_t of_matrix = sent_by_a_round(matrix.get(), start_of(rank));
      const std::uint64_t of_vector = sent_by_a_round(vector.get(), start_of(rank));
      expect(of_matrix == 2 * (kNote + 3 * (kRows + kColumns) * sizeof(float)), "round ", round, ": ", of_matrix);
      expect(of_vector == 2 * (kNote + kCount * sizeof(float)), "round ", round, ": ", of_vector, " of a vector");
    }
  });
}

TEST_CASE("powergossip wants edges that stay and go both ways, and tensors without a codec") {
  ThreadGroup group(4);
  run_ranks(4, [&](int rank) {
    const auto refused = [&](const std::string& topology, const std::string& codec, goss_status status,
                             const std::vector<std::string>& words) {
      const CommHandle comm =
          make_comm(group, rank, "transport=inproc min_compress=0 mixing=powergossip topology=" + topology);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {8, 4}, codec);
      std::vector<float> data(32, 1.0F);
      fails(goss_mix(tensor.get(), data.data()), status, words, topology);
    };
    refused("exponential", "identity", GOSS_ERR_ARGUMENT, {"powergossip", "both ways", "exponential"});
    refused("matching", "identity", GOSS_ERR_ARGUMENT, {"powergossip", "matching", "stays"});
    refused("ring", "int8", GOSS_ERR_UNSUPPORTED, {"powergossip", "int8", "choco"});
  });
}

}  // namespace gossamer::test::gossip
