// Graphs that are drawn at random: what does not depend on the draw, and what must.
#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "tests/graphs_cases.hpp"
#include "topology/draw.hpp"

using namespace gossamer;
using namespace gossamer::test;

namespace {

std::vector<Matrix> all_matrices(const Topology& topology) {
  std::vector<Matrix> matrices;
  for (std::uint64_t round = 0; round < topology.period(); ++round) matrices.push_back(mixing_matrix(topology, round));
  return matrices;
}

const char* const kRandom[] = {"equitopo:variant=D",    "equitopo:variant=U", "equitopo:variant=OD",
                               "equitopo:variant=OU",   "matching",           "random-regular:degree=4",
                               "small-world:k=4,p=0.3", "erdos-renyi:p=0.3"};

}  // namespace

TEST_CASE("a seed gives one graph, another seed another") {
  for (const char* spec : kRandom) {
    INFO(spec);
    const Topology topology = graph(spec, 24, {"auto", 1});
    CHECK(all_matrices(topology) == all_matrices(graph(spec, 24, {"auto", 1})));
    CHECK(topology.fingerprint() == graph(spec, 24, {"auto", 1}).fingerprint());
    CHECK(all_matrices(topology) != all_matrices(graph(spec, 24, {"auto", 2})));
    CHECK(topology.fingerprint() != graph(spec, 24, {"auto", 2}).fingerprint());
  }
}

TEST_CASE("random-regular: everybody has the degree that was asked for, dense or sparse") {
  for (const auto& [size, degree] : std::vector<std::pair<std::size_t, std::size_t>>{
           {2, 1}, {3, 2}, {5, 4}, {6, 3}, {7, 4}, {8, 7}, {10, 9}, {12, 2}, {20, 17}, {31, 6}, {64, 5}}) {
    INFO(size, " ranks of degree ", degree);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const Topology topology = graph("random-regular:degree=" + std::to_string(degree), size, {"auto", seed});
      for (int rank = 0; rank < topology.size(); ++rank) CHECK(topology.at(rank, 0).in.size() == degree);
      CHECK(topology.connected());
    }
  }
  CHECK(graph_refusal("random-regular:degree=3", 5) ==
        "topology random-regular:degree=3: no graph of 5 ranks has degree 3 everywhere; degree is below the number of "
        "ranks, and one of the two is even");
  CHECK(graph_refusal("random-regular", 4).find("no graph of 4 ranks has degree 4") != std::string::npos);
  CHECK(graph_refusal("random-regular:degree=1", 8).find("none of 100 draws with seed 0 connects all 8 ranks") !=
        std::string::npos);
}

TEST_CASE("random-regular: every edge is as likely as every other") {
  // 400 graphs of degree 3 on 8 ranks: an edge is there with probability 3/7. Bounds are 5 standard deviations.
  constexpr int kDraws = 400;
  std::vector<std::vector<int>> found(8, std::vector<int>(8, 0));
  for (int seed = 0; seed < kDraws; ++seed) {
    const Topology topology = graph("random-regular:degree=3", 8, {"auto", static_cast<std::uint64_t>(seed)});
    for (int rank = 0; rank < 8; ++rank) {
      for (const Edge& edge : topology.at(rank, 0).in) {
        ++found[static_cast<std::size_t>(rank)][static_cast<std::size_t>(edge.rank)];
      }
    }
  }
  const double p = 3.0 / 7;
  for (std::size_t a = 0; a < 8; ++a) {
    for (std::size_t b = 0; b < 8; ++b) {
      if (a != b) CHECK(std::abs(found[a][b] - kDraws * p) <= 5 * std::sqrt(kDraws * p * (1 - p)));
    }
  }
}

TEST_CASE("small-world: p=0 is the ring of k neighbours, p=1 keeps the number of edges at most") {
  const Topology still = graph("small-world:k=4,p=0", 12);
  for (int rank = 0; rank < 12; ++rank) {
    const std::set<int> expected = {(rank + 1) % 12, (rank + 2) % 12, (rank + 10) % 12, (rank + 11) % 12};
    std::set<int> found;
    for (const Edge& edge : still.at(rank, 0).in) found.insert(edge.rank);
    CHECK(found == expected);
  }
  std::size_t arcs = 0;
  const Topology wild = graph("small-world:k=4,p=1", 40);
  for (int rank = 0; rank < 40; ++rank) arcs += wild.at(rank, 0).in.size();
  CHECK(arcs <= 160);
  CHECK(arcs >= 120);
  CHECK(graph("small-world:k=4,p=1", 5).spectral_gap() == doctest::Approx(1));
  CHECK(graph_refusal("small-world:k=3", 9).find("k is even and below the number of ranks") != std::string::npos);
  CHECK(graph_refusal("small-world:k=10", 9).find("k=10 with 9 ranks") != std::string::npos);
  CHECK(graph_refusal("small-world:p=2", 9) == "topology small-world: p=2 is not valid; p is a number from 0 to 1");
}

TEST_CASE("erdos-renyi: as many edges as p says, and drawn again until connected") {
  double arcs = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Topology topology = graph("erdos-renyi:p=0.4", 30, {"auto", seed});
    CHECK(topology.connected());
    for (int rank = 0; rank < 30; ++rank) arcs += static_cast<double>(topology.at(rank, 0).in.size()) / 2;
  }
  const double pairs = 50 * 30 * 29 / 2.0;
  CHECK(std::abs(arcs - 0.4 * pairs) <= 5 * std::sqrt(pairs * 0.4 * 0.6));
  CHECK(graph("erdos-renyi:p=1", 6).spectral_gap() == doctest::Approx(1));
  CHECK(graph_refusal("erdos-renyi:p=0.001", 30) ==
        "topology erdos-renyi:p=0.001: none of 100 draws with seed 0 connects all 30 ranks; a larger p= helps");
}

TEST_CASE("matching: everybody meets one other, one stays alone when their number is odd") {
  for (const std::size_t size : {2, 3, 8, 9, 64}) {
    const Topology topology = graph("matching:rounds=12", size);
    CHECK(topology.period() == 12);
    for (std::uint64_t round = 0; round < 12; ++round) {
      std::size_t alone = 0;
      for (int rank = 0; rank < topology.size(); ++rank) {
        const Neighbourhood around = topology.at(rank, round);
        REQUIRE(around.in.size() <= 1);
        if (around.in.empty()) ++alone;
        if (!around.in.empty()) CHECK(around.in[0].weight == 0.5);
      }
      CHECK(alone == size % 2);
    }
  }
  CHECK(graph("matching", 64).period() == 12);
  CHECK(graph_refusal("matching:rounds=1", 8).find("more rounds= help") != std::string::npos);
}

TEST_CASE("equitopo: D-EquiStatic with M=16 at n=64 leaves about .47 of a difference, whatever the ranks") {
  double radius = 0;
  constexpr int kDraws = 40;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    radius += (1 - graph("equitopo:variant=D,M=16", 64, {"auto", seed}).spectral_gap()) / kDraws;
  }
  CHECK(std::abs(radius - .47) <= .03);
  CHECK(graph("equitopo:variant=D,M=16", 64).at(0, 0).in.size() <= 16);
  CHECK(graph("equitopo:variant=U,M=8", 64).at(0, 0).in.size() <= 16);
}

TEST_CASE("equitopo: the four variants' weights, and their keys") {
  for (const std::size_t size : {2, 5, 16}) {
    const double own = 1 / static_cast<double>(size);
    CHECK(graph("equitopo:variant=D", size).at(1, 0).self_weight == doctest::Approx(own));
    CHECK(graph("equitopo:variant=U", size).at(1, 0).self_weight == doctest::Approx(own));
    CHECK(graph("equitopo:variant=U", size).symmetric());
    const Topology directed = graph("equitopo:variant=OD,eta=0.25,rounds=6,M=4", size);
    CHECK(directed.period() == 6);
    for (std::uint64_t round = 0; round < 6; ++round) {
      REQUIRE(directed.at(0, round).in.size() == 1);
      CHECK(directed.at(0, round).in[0].weight == doctest::Approx(0.25 * (1 - own)));
    }
    const Topology undirected = graph("equitopo:variant=OU,eta=1", size);
    CHECK(undirected.symmetric());
    for (std::uint64_t round = 0; round < undirected.period(); ++round) {
      for (int rank = 0; rank < undirected.size(); ++rank) {
        const Neighbourhood around = undirected.at(rank, round);
        REQUIRE(around.in.size() <= 1);
        CHECK(around.self_weight == doctest::Approx(around.in.empty() ? 1 : own));
      }
    }
  }
  CHECK(graph_refusal("equitopo:variant=X", 8) ==
        "topology equitopo: variant=X is not valid; variant is one of D, U, OD, OU");
  CHECK(graph_refusal("equitopo:eta=0,variant=OD", 8).find("eta is a number in (0, 1]") != std::string::npos);
}

TEST_CASE("draws below a bound are even, and differ by name and seed") {
  Draw draw(9, "a graph");
  std::vector<int> counts(6, 0);
  for (int i = 0; i < 6000; ++i) ++counts[draw.below(6)];
  for (const int count : counts) CHECK(std::abs(count - 1000) <= 5 * 29);  // a binomial's deviation is 28.9
  CHECK(Draw(1, "x")() == Draw(1, "x")());
  CHECK(Draw(1, "x")() != Draw(1, "y")());
  CHECK(Draw(1, "x")() != Draw(2, "x")());
}
