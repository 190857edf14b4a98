// Graphs with known figures: after how many rounds they are exact, how fast they mix, whom they ask.
#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "tests/graphs_cases.hpp"

using namespace gossamer;
using namespace gossamer::test;

TEST_CASE(
    "base: everybody has the mean after a period of at most 2 log n / log(k+1) + 2 rounds, with k peers a round") {
  for (std::size_t size = 2; size <= 64; ++size) {
    for (std::size_t k = 1; k <= 4; ++k) {
      INFO("n = ", size, ", k = ", k);
      const Topology topology = graph("base:k=" + std::to_string(k), size);
      CHECK(distance_from_average(matrix_of_a_period(topology)) <= 1e-14);
      CHECK(topology.symmetric());
      CHECK(topology.spectral_gap() == 1);
      const double bound = 2 * std::log(static_cast<double>(size)) / std::log(1 + static_cast<double>(k)) + 2;
      CHECK(static_cast<double>(topology.period()) <= bound);
      std::size_t peers = 0;
      for (std::uint64_t round = 0; round < topology.period(); ++round) {
        for (int rank = 0; rank < topology.size(); ++rank) peers = std::max(peers, topology.at(rank, round).in.size());
      }
      CHECK(peers <= k);
    }
  }
}

TEST_CASE("base: the lengths of the paper's examples") {
  // Powers of k + 1 take one round a digit; k + 1 = n is the complete graph; 5 = 4 + 1 takes 2 + 1 + 2 rounds in base
  // 2, and 6 = 2 * 3 the 4 rounds of 3 = 2 + 1 by halves and one across, or 5 by digits.
  CHECK(graph("base:k=1", 32).period() == 5);
  CHECK(graph("base:k=2", 27).period() == 3);
  CHECK(graph("base:k=3", 4).period() == 1);
  CHECK(graph("base:k=1", 5).period() == 5);
  CHECK(graph("base:k=1", 3).period() == 3);
  CHECK(graph("base:k=1", 6).period() == 4);
  CHECK(graph_refusal("base:k=0", 4) == "topology base: k=0 is not valid; k is an integer from 1 to 1048576");
  CHECK(graph_refusal("base:8", 4).starts_with("topology base: '8' is not of the form key=value"));
}

TEST_CASE("one-peer-exponential: exact after log2 n rounds if and only if n is a power of two") {
  for (std::size_t size = 2; size <= 64; ++size) {
    INFO("n = ", size);
    const Topology topology = graph("one-peer-exponential", size);
    const double distance = distance_from_average(matrix_of_a_period(topology));
    CHECK(topology.period() == static_cast<std::uint64_t>(std::ceil(std::log2(static_cast<double>(size)))));
    if ((size & (size - 1)) == 0) {
      CHECK(distance <= 1e-14);
      CHECK(topology.spectral_gap() == 1);
    } else {
      // Entries are 1/2^period and 2/2^period, and 1/n is between.
      CHECK(distance >= std::exp2(-1 - static_cast<double>(topology.period())));
    }
  }
  CHECK(second_modulus(matrix_of_a_period(graph("one-peer-exponential", 6))) == doctest::Approx(0.217).epsilon(0.005));
}

TEST_CASE("moshpit: exact after one round for each axis") {
  for (std::size_t size = 2; size <= 64; ++size) {
    for (const std::string& torus : torus_specs(size)) {
      const Topology topology = graph("moshpit" + torus.substr(torus.find(':')), size);
      INFO(topology.spec());
      CHECK(distance_from_average(matrix_of_a_period(topology)) <= 1e-14);
      CHECK(topology.symmetric());
    }
  }
  CHECK(graph("moshpit:4x4x4", 64).period() == 3);
  CHECK(graph("moshpit:4x4x4", 64).at(0, 1).in.size() == 3);
  CHECK(graph("moshpit:1x8", 8).period() == 1);
  CHECK(graph_refusal("moshpit:3x3", 8) == "moshpit:3x3 has 9 places but there are 8 ranks");
  CHECK(graph_refusal("moshpit", 8).starts_with("'moshpit' is not a moshpit; write moshpit:AxB"));
}

TEST_CASE("exponential: the gap of its paper, at 64 ranks from at most 12 neighbours") {
  for (std::size_t size = 2; size <= 64; size += 2) {
    INFO("n = ", size);
    const double expected = 2 / (1 + std::ceil(std::log2(static_cast<double>(size))));
    CHECK(std::abs(graph("exponential", size).spectral_gap() - expected) <= 1e-12);
  }
  CHECK(std::abs(graph("exponential", 9).spectral_gap() - .558) <= 5e-4);
  CHECK(std::abs(graph("exponential", 25).spectral_gap() - .489) <= 5e-4);
  for (int rank = 0; rank < 64; ++rank) CHECK(graph("exponential", 64).neighbours(rank).size() <= 12);
  CHECK(graph("exponential", 64).diameter() == 6);
}

TEST_CASE("star, path, barbell and grid: edges and diameters known by hand") {
  CHECK(graph("star", 9).diameter() == 2);
  CHECK(graph("star", 9).at(0, 0).in.size() == 8);
  CHECK(graph("star", 9).at(5, 0).in.size() == 1);
  CHECK(graph("path", 9).diameter() == 8);
  CHECK(graph("path", 9).at(0, 0).in.size() == 1);
  CHECK(graph("barbell", 9).diameter() == 3);
  CHECK(graph("barbell", 9).at(0, 0).in.size() == 3);
  CHECK(graph("barbell", 9).at(8, 0).in.size() == 4);
  CHECK(graph("grid", 12).diameter() == 5);  // 3 x 4
  CHECK(graph("grid", 13).diameter() == 12);
  CHECK(graph("grid:2x6", 12).diameter() == 6);
  CHECK(graph("grid:2x2x3", 12).diameter() == 4);
  CHECK(graph_refusal("grid:5x2", 12) == "grid:5x2 has 10 places but there are 12 ranks");
  CHECK(graph_refusal("grid:12", 12).starts_with("'grid:12' is not a grid; write grid:AxB"));
}

TEST_CASE("Metropolis' gaps of the path and the star in closed form") {
  // A path's matrix is I - L/3, and L's eigenvalues are 2 - 2 cos(pi k / n). A star's is I - L/n with 1 and n.
  for (std::size_t size = 3; size <= 40; ++size) {
    const auto n = static_cast<double>(size);
    CHECK(std::abs(graph("path", size).spectral_gap() - (2 - 2 * std::cos(std::acos(-1) / n)) / 3) <= 1e-12);
    CHECK(std::abs(graph("star", size).spectral_gap() - 1 / n) <= 1e-12);
  }
}

TEST_CASE("least eigenvalues in closed form; none of graphs that are directed or change") {
  const double pi = std::acos(-1);
  for (const std::size_t size : {3, 4, 9, 16}) {
    const auto n = static_cast<double>(size);
    INFO(size, " ranks");
    // 1/3 + 2/3 cos(2 pi k / n) and 1/3 + 2/3 cos(pi k / n); a complete graph averages exactly, a hypercube has 1 +
    // log2 n eigenvalues (1 + log2 n − 2 k) / (1 + log2 n).
    CHECK(std::abs(*graph("ring", size).least_eigenvalue() - (1 + 2 * std::cos(2 * pi * std::floor(n / 2) / n)) / 3) <=
          1e-12);
    CHECK(std::abs(*graph("path", size).least_eigenvalue() - (1 + 2 * std::cos(pi * (n - 1) / n)) / 3) <= 1e-12);
    CHECK(std::abs(*graph("complete", size).least_eigenvalue()) <= 1e-12);
  }
  CHECK(*graph("hypercube", 16).least_eigenvalue() == doctest::Approx(-3.0 / 5));
  CHECK(*graph("ring", 1).least_eigenvalue() == 1);
  CHECK_FALSE(graph("exponential", 8).least_eigenvalue().has_value());
  CHECK_FALSE(graph("base:k=1", 8).least_eigenvalue().has_value());
  CHECK_FALSE(graph("path", 1100).least_eigenvalue().has_value());
}

TEST_CASE("the weights of each rule on a path of three") {
  const auto row = [](const char* rule, int rank) { return graph("path", 3, {rule, 0}).at(rank, 0); };
  CHECK(row("metropolis", 0).self_weight == doctest::Approx(2.0 / 3));
  CHECK(row("metropolis", 1).self_weight == doctest::Approx(1.0 / 3));
  CHECK(row("uniform", 0).in[0].weight == 0.5);
  CHECK(row("uniform", 1).in[0].weight == doctest::Approx(1.0 / 3));
  CHECK(row("uniform", 0).out[0].weight == doctest::Approx(1.0 / 3));
  CHECK(row("out-uniform", 0).in[0].weight == doctest::Approx(1.0 / 3));
  CHECK(row("out-uniform", 0).self_weight == 0.5);
  CHECK(row("max-degree", 0).in[0].weight == doctest::Approx(1.0 / 3));
  // L has the eigenvalues 0, 1, 3.
  CHECK(row("laplacian", 0).in[0].weight == doctest::Approx(0.5));
  CHECK(graph("path", 3, {"laplacian", 0}).spectral_gap() == doctest::Approx(0.5));
  const Topology rows = graph("path", 3, {"uniform", 0});
  CHECK(rows.row_stochastic());
  CHECK_FALSE(rows.column_stochastic());
  CHECK_FALSE(rows.symmetric());
  const Topology columns = graph("path", 3, {"out-uniform", 0});
  CHECK_FALSE(columns.row_stochastic());
  CHECK(columns.column_stochastic());
  // One is the other's transpose, so their eigenvalues agree: those of the random walk, 1, 1/2 and -1/6.
  CHECK(std::abs(rows.spectral_gap() - 0.5) <= 1e-12);
  CHECK(std::abs(columns.spectral_gap() - 0.5) <= 1e-12);
}

TEST_CASE("above 512 ranks the gap is estimated") {
  CHECK(std::abs(graph("exponential", 600).spectral_gap() - 2.0 / 11) <= 2e-3);
  CHECK(graph("one-peer-exponential", 1024).spectral_gap() == 1);
  // A random graph of degree d has eigenvalues up to 2 sqrt(d - 1) beside d, but for a little (Friedman, 2008).
  const double expected = 1 - (1 + 2 * std::sqrt(3)) / 5;
  CHECK(std::abs(graph("random-regular:degree=4", 1100).spectral_gap() - expected) <= 0.01);
}
