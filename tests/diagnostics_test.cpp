#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/graphs_cases.hpp"
#include "topology/diagnostics.hpp"

using namespace gossamer;
using namespace gossamer::test;

namespace {

const GossipJob kJob{.payload_bytes = 1000, .links = Links::uniform({1e-3, 1e6})};

}  // namespace

TEST_CASE("a ring's figures by hand") {
  const Diagnosis ring = diagnose(graph("ring", 8), kJob);
  CHECK(ring.in_degree.least == 2);
  CHECK(ring.out_degree.most == 2);
  CHECK(ring.connections == 2);
  CHECK(ring.diameter == 4);
  CHECK_FALSE(ring.exact);
  CHECK(ring.rounds == 32);  // ln 1000 / -ln(1 - .19526) = 31.8
  CHECK(ring.bytes_per_round == doctest::Approx(2000));
  CHECK(ring.round_seconds == doctest::Approx(3e-3));
  CHECK(ring.seconds == doctest::Approx(96e-3));
  CHECK(ring.all_reduce_steps == 14);
  CHECK(ring.all_reduce_seconds == doctest::Approx(14 * (1e-3 + 125e-6)));
}

TEST_CASE("steps of the exact all-reduce: products of rings, and direct groups") {
  const Diagnosis torus = diagnose(graph("torus:4x2", 8), kJob);
  CHECK(torus.all_reduce_steps == 8);
  CHECK(torus.all_reduce_seconds == doctest::Approx(8e-3 + 14 * 125e-6));
  const Diagnosis complete = diagnose(graph("complete", 8), kJob);
  CHECK(complete.all_reduce_steps == 2);
  CHECK(complete.all_reduce_seconds == doctest::Approx(2e-3 + 14 * 125e-6));
  CHECK(complete.exact);
  CHECK(complete.rounds == 1);
}

TEST_CASE("exact graphs need their period, or the rounds after which nothing is left") {
  for (const auto& [spec, size, rounds] :
       {std::tuple("base:k=1", 6, 4.0), std::tuple("base:k=2", 27, 3.0), std::tuple("one-peer-exponential", 16, 4.0),
        std::tuple("moshpit:3x5", 15, 2.0), std::tuple("ring", 1, 0.0)}) {
    INFO(spec);
    const Diagnosis diagnosis = diagnose(graph(spec, static_cast<std::size_t>(size)), kJob);
    CHECK(diagnosis.exact);
    CHECK(diagnosis.rounds == rounds);
  }
  const Diagnosis base = diagnose(graph("base:k=1", 6), kJob);
  CHECK(base.connections == 4);
  CHECK(base.in_degree.least == 0);
  CHECK(base.in_degree.most == 1);
}

TEST_CASE("a graph that never settles needs infinitely many rounds") {
  const std::string path = (std::filesystem::temp_directory_path() / "gossamer_cycle.txt").string();
  std::ofstream(path) << "0 1 1\n1 2 1\n2 0 1\n";
  const Diagnosis diagnosis = diagnose(graph("file:" + path + ",directed=on", 3), kJob);
  std::remove(path.c_str());
  CHECK(std::abs(diagnosis.spectral_gap) <= 1e-12);
  CHECK(std::isinf(diagnosis.rounds));
}

TEST_CASE("the rounds that the gap predicts reduce disagreement a thousandfold on fixed symmetric graphs") {
  for (const char* spec : {"ring", "torus:4x6", "grid", "path", "random-regular"}) {
    INFO(spec);
    const Topology topology = graph(spec, 24);
    const Diagnosis diagnosis = diagnose(topology, kJob);
    std::vector<double> values(24, 0);
    values[5] = 1;
    for (double round = 0; round < diagnosis.rounds; ++round) {
      std::vector<double> next(24);
      for (int rank = 0; rank < 24; ++rank) {
        const Neighbourhood around = topology.at(rank, 0);
        next[static_cast<std::size_t>(rank)] = around.self_weight * values[static_cast<std::size_t>(rank)];
        for (const Edge& edge : around.in) {
          next[static_cast<std::size_t>(rank)] += edge.weight * values[static_cast<std::size_t>(edge.rank)];
        }
      }
      values = next;
    }
    double squares = 0;
    for (const double value : values) squares += (value - 1.0 / 24) * (value - 1.0 / 24);
    CHECK(std::sqrt(squares) <= std::sqrt(23.0 / 24) / 1000 * (1 + 1e-9));
  }
}
