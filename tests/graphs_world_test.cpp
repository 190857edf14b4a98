// Communicators on gossip graphs: exact collectives along the ring, rows of the mixing matrix through the C API.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/graphs_cases.hpp"
#include "tests/world.hpp"

using namespace gossamer;
using namespace gossamer::test;

namespace {

struct Row {
  std::vector<int> ranks;
  std::vector<double> weights;
  double own = 0;
};

Row row_of(const goss_comm* comm, std::uint64_t round) {
  Row row{std::vector<int>(64), std::vector<double>(64), 0};
  int count = 0;
  ok(goss_comm_neighbours(comm, round, row.ranks.data(), row.weights.data(), 64, &count, &row.own), "neighbours");
  row.ranks.resize(static_cast<std::size_t>(count));
  row.weights.resize(static_cast<std::size_t>(count));
  return row;
}

// What every rank is told when it asks for this configuration.
std::vector<std::string> told(int ranks, const std::vector<std::string>& configs) {
  ThreadGroup group(ranks);
  std::vector<std::string> said(static_cast<std::size_t>(ranks));
  run_ranks(ranks, [&](int rank) {
    const goss_bootstrap bootstrap = group.bootstrap(rank);
    goss_comm* comm = nullptr;
    const std::string config = "transport=inproc " + configs[static_cast<std::size_t>(rank) % configs.size()];
    if (goss_comm_create(&bootstrap, config.c_str(), &comm) != GOSS_OK) {
      said[static_cast<std::size_t>(rank)] = goss_last_error();
    }
    goss_comm_destroy(comm);
  });
  return said;
}

}  // namespace

TEST_CASE("exact collectives work on every gossip graph") {
  for (const int ranks : {1, 2, 5, 6}) {
    for (const std::string& spec : graph_specs_for(static_cast<std::size_t>(ranks))) {
      INFO(spec, " with ", ranks, " ranks");
      ThreadGroup group(ranks);
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc seed=3 topology=" + spec);
        const TensorHandle tensor = make_tensor(comm.get(), "w", {7}, "identity");
        std::vector<float> data(7, static_cast<float>(rank));
        ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), spec);
        const auto expected = static_cast<float>(ranks * (ranks - 1) / 2);
        for (const float value : data) expect(value == expected, value, " instead of ", expected);
        ok(goss_barrier(comm.get()), spec);
        const Topology topology = graph(spec, static_cast<std::size_t>(ranks), {"auto", 3});
        for (std::uint64_t round = 0; round < topology.period(); ++round) {
          const Row row = row_of(comm.get(), round);
          const Neighbourhood around = topology.at(rank, round);
          expect(row.own == around.self_weight, "own weight ", row.own, " instead of ", around.self_weight);
          expect(row.ranks.size() == around.in.size(), row.ranks.size(), " neighbours instead of ", around.in.size());
          for (std::size_t i = 0; i < row.ranks.size(); ++i) {
            expect(row.ranks[i] == around.in[i].rank && row.weights[i] == around.in[i].weight, "neighbour ", i);
          }
        }
      });
    }
  }
}

TEST_CASE("goss_mix takes the rounds of a period in turn") {
  constexpr int kRanks = 6;
  for (const std::string& spec : graph_specs_for(kRanks)) {
    INFO(spec);
    const Topology topology = graph(spec, kRanks, {"auto", 3});
    std::vector<std::vector<double>> expected{{0, 1, 2, 3, 4, 5}};
    for (std::uint64_t round = 0; round < 2 * topology.period(); ++round) {
      const Matrix matrix = mixing_matrix(topology, round);
      std::vector<double> next(kRanks, 0);
      for (std::size_t i = 0; i < kRanks; ++i) {
        for (std::size_t j = 0; j < kRanks; ++j) next[i] += matrix[i][j] * expected.back()[j];
      }
      expected.push_back(next);
    }
    ThreadGroup group(kRanks);
    run_ranks(kRanks, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc seed=3 topology=" + spec);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {5}, "identity");
      std::vector<float> data(5, static_cast<float>(rank));
      for (std::size_t round = 1; round < expected.size(); ++round) {
        ok(goss_mix(tensor.get(), data.data()), spec);
        const double right = expected[round][static_cast<std::size_t>(rank)];
        // A round rounds six weights and twelve results, of values up to 5.
        const double allowed = static_cast<double>(round) * 18 * 5 * 0x1p-24;
        for (const float value : data) {
          expect(std::abs(value - right) <= allowed, "after round ", round, ": ", value, " instead of ", right);
        }
      }
    });
  }
}

TEST_CASE("weights= and seed= reach the graph, and all ranks must give the same") {
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=path weights=laplacian");
    const Row row = row_of(comm.get(), 0);
    expect(std::abs(row.weights.front() - 0.5) <= 1e-12, "weight ", row.weights.front(), " instead of 1/2");
  });
  for (const std::string& said : told(2, {"weights=auto", "weights=uniform"})) {
    CHECK(said.find("rank 1 has topology=ring weights=uniform") != std::string::npos);
  }
  for (const std::string& said : told(2, {"weights=heavy"})) {
    CHECK(said.find("unknown weights 'heavy'; known: auto, metropolis") != std::string::npos);
  }
  for (const std::string& said : told(3, {"topology=one-peer-exponential weights=metropolis"})) {
    CHECK(said.find("has weights of its own") != std::string::npos);
  }
}

TEST_CASE("a file that not every rank can read fails on all ranks with a sentence") {
  for (const std::string& said : told(3, {"topology=file:/nowhere/graph.txt"})) {
    CHECK(said.find("cannot read '/nowhere/graph.txt'") != std::string::npos);
  }
}
