// What holds for every gossip graph.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/graphs_cases.hpp"

using namespace gossamer;
using namespace gossamer::test;

namespace {

struct Sums {
  double worst_row = 0;
  double worst_column = 0;
};

Sums sums_of(const Topology& topology, std::uint64_t round) {
  Sums sums;
  for (int rank = 0; rank < topology.size(); ++rank) {
    const Neighbourhood around = topology.at(rank, round);
    double row = around.self_weight - 1;
    double column = around.self_weight - 1;
    for (const Edge& edge : around.in) row += edge.weight;
    for (const Edge& edge : around.out) column += edge.weight;
    sums.worst_row = std::max(sums.worst_row, std::abs(row));
    sums.worst_column = std::max(sums.worst_column, std::abs(column));
  }
  return sums;
}

double norm_from_mean(const std::vector<double>& values) {
  double mean = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum);
}

std::vector<double> random_values(std::size_t size) {
  std::mt19937_64 random(size);
  std::vector<double> values(size);
  for (double& value : values) value = static_cast<double>(random() % 2001) / 1000 - 1;
  return values;
}

std::vector<double> mixed(const Topology& topology, std::uint64_t round, const std::vector<double>& values) {
  std::vector<double> next(values.size());
  for (int rank = 0; rank < topology.size(); ++rank) {
    const Neighbourhood around = topology.at(rank, round);
    double sum = around.self_weight * values[static_cast<std::size_t>(rank)];
    for (const Edge& edge : around.in) sum += edge.weight * values[static_cast<std::size_t>(edge.rank)];
    next[static_cast<std::size_t>(rank)] = sum;
  }
  return next;
}

}  // namespace

TEST_CASE("rows and columns sum to 1 where a graph says so, and weights are not negative") {
  for (std::size_t size = 1; size <= 64; ++size) {
    for_every_graph(size, [](const Topology& topology) {
      CHECK((topology.row_stochastic() || topology.column_stochastic()));
      for (std::uint64_t round = 0; round < topology.period(); ++round) {
        const Sums sums = sums_of(topology, round);
        if (topology.row_stochastic()) CHECK(sums.worst_row <= 1e-12);
        if (topology.column_stochastic()) CHECK(sums.worst_column <= 1e-12);
      }
      for (int rank = 0; rank < topology.size(); ++rank) {
        const Neighbourhood around = topology.at(rank, topology.period() - 1);
        CHECK(around.self_weight >= -1e-15);
        CHECK(std::all_of(around.in.begin(), around.in.end(), [](const Edge& edge) { return edge.weight > 0; }));
      }
    });
  }
}

TEST_CASE("what a rank gives is what the others take, edges ascend, and symmetric() tells the truth") {
  for (const std::size_t size : {1, 2, 3, 6, 8, 13, 25}) {
    for_every_graph(size, [](const Topology& topology) {
      bool symmetric = true;
      for (std::uint64_t round = 0; round < topology.period(); ++round) {
        const Matrix matrix = mixing_matrix(topology, round);
        for (int rank = 0; rank < topology.size(); ++rank) {
          const Neighbourhood around = topology.at(rank, round);
          const auto ascending = [](const Edge& a, const Edge& b) { return a.rank < b.rank; };
          CHECK(std::is_sorted(around.in.begin(), around.in.end(), ascending));
          CHECK(std::is_sorted(around.out.begin(), around.out.end(), ascending));
          std::size_t receivers = 0;
          for (std::size_t i = 0; i < matrix.size(); ++i) {
            const bool other = i != static_cast<std::size_t>(rank);
            if (other && matrix[i][static_cast<std::size_t>(rank)] != 0) ++receivers;
            if (matrix[i][static_cast<std::size_t>(rank)] != matrix[static_cast<std::size_t>(rank)][i]) {
              symmetric = false;
            }
          }
          CHECK(around.out.size() == receivers);
          for (const Edge& edge : around.out) {
            CHECK(edge.rank != rank);
            CHECK(edge.weight == matrix[static_cast<std::size_t>(edge.rank)][static_cast<std::size_t>(rank)]);
          }
        }
      }
      CHECK(topology.symmetric() == symmetric);
    });
  }
}

TEST_CASE("neighbours are those of any round and those on the ring of the exact collectives") {
  for (const std::size_t size : {1, 2, 3, 6, 8, 13, 25}) {
    for_every_graph(size, [](const Topology& topology) {
      REQUIRE(topology.dimensions().size() == (topology.size() > 1 ? 1 : 0));
      for (int rank = 0; rank < topology.size(); ++rank) {
        std::set<int> expected;
        for (std::uint64_t round = 0; round < topology.period(); ++round) {
          const Neighbourhood around = topology.at(rank, round);
          for (const Edge& edge : around.in) expected.insert(edge.rank);
          for (const Edge& edge : around.out) expected.insert(edge.rank);
        }
        for (const Dimension& ring : topology.dimensions()) {
          CHECK(ring.size == static_cast<std::size_t>(topology.size()));
          for (const std::size_t step : {std::size_t{1}, ring.size - 1}) {
            expected.insert(topology.peer(rank, ring, (topology.digit(rank, ring) + step) % ring.size));
          }
        }
        CHECK(topology.neighbours(rank) == std::vector<int>(expected.begin(), expected.end()));
      }
    });
  }
}

TEST_CASE("rounds repeat after the period") {
  for_every_graph(13, [](const Topology& topology) {
    CHECK(topology.connected());
    for (std::uint64_t round = 0; round < topology.period(); ++round) {
      const std::uint64_t later = round + topology.period() * 1000003;
      CHECK(mixing_matrix(topology, round) == mixing_matrix(topology, later));
    }
  });
}

TEST_CASE("gossip on a fixed symmetric graph contracts at least as fast as the gap says") {
  for (const std::size_t size : {2, 3, 8, 13, 32}) {
    for_every_graph(size, [&](const Topology& topology) {
      if (topology.period() != 1 || !topology.symmetric()) return;
      std::vector<double> values = random_values(size);
      double bound = norm_from_mean(values);
      const double gap = topology.spectral_gap();
      for (std::uint64_t round = 0; round < 30; ++round) {
        values = mixed(topology, round, values);
        bound *= 1 - gap;
        CHECK(norm_from_mean(values) <= bound * (1 + 1e-12) + 1e-13);
      }
    });
  }
}

TEST_CASE("gossip on every graph with rows and columns of sum 1 keeps the mean and forgets differences") {
  for (const std::size_t size : {2, 3, 8, 13}) {
    for_every_graph(size, [&](const Topology& topology) {
      if (!topology.row_stochastic() || !topology.column_stochastic()) return;
      std::vector<double> values = random_values(size);
      const double sum = std::accumulate(values.begin(), values.end(), 0.0);
      const double gap = topology.spectral_gap();
      CHECK(gap > 0);
      CHECK(gap <= 1);
      // Twice what the gap asks for to reach 1e-6, since the first rounds of an asymmetric product may be slow; a
      // matrix without any other eigenvalue is 0 by its power n.
      const double periods = gap == 1
                                 ? static_cast<double>(size)
                                 : 1 + 2 * std::log(1e-6) / std::log(1 - gap) / static_cast<double>(topology.period());
      const auto rounds = static_cast<std::uint64_t>(std::ceil(periods)) * topology.period();
      for (std::uint64_t round = 0; round < rounds; ++round) values = mixed(topology, round, values);
      CHECK(norm_from_mean(values) <= 1e-6 * static_cast<double>(size));
      CHECK(std::abs(std::accumulate(values.begin(), values.end(), 0.0) - sum) <= 1e-11);
    });
  }
}

TEST_CASE("the spectral gap is that of a period's matrix by Gelfand's formula") {
  for (const std::size_t size : {2, 3, 6, 8, 13, 25}) {
    for_every_graph(size, [](const Topology& topology) {
      if (!topology.row_stochastic() || !topology.column_stochastic()) return;
      const double radius =
          std::pow(second_modulus(matrix_of_a_period(topology)), 1 / static_cast<double>(topology.period()));
      CHECK(std::abs(topology.spectral_gap() - (1 - radius)) <= 1e-7);
    });
  }
}

TEST_CASE("the mixing matrix of one rank is 1") {
  for_every_graph(1, [](const Topology& topology) {
    CHECK(topology.at(0, 3).self_weight == 1);
    CHECK(topology.neighbours(0).empty());
    CHECK(topology.spectral_gap() == 1);
    CHECK(topology.diameter() == 0);
  });
}

TEST_CASE("lazy weights are half of auto's and a half of the rank's own, on every graph of one round") {
  for (const std::size_t size : {2, 3, 4, 7, 16}) {
    std::vector<std::string> specs = graph_specs_for(size);
    for (const std::string& product : specs_for(size)) specs.push_back(product);
    for (const std::string& spec : specs) {
      const Topology topology = graph(spec, size, {"auto", 3});
      if (topology.period() > 1 || spec.ends_with("measured")) continue;
      INFO(spec, " with ", size, " ranks");
      const Topology lazy = graph(spec, size, {"lazy", 3});
      const Matrix usual = mixing_matrix(topology);
      const Matrix halved = mixing_matrix(lazy);
      for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j < size; ++j) {
          CHECK(std::abs(halved[i][j] - (usual[i][j] + (i == j ? 1 : 0)) / 2) <= 1e-15);
        }
      }
      CHECK(lazy.symmetric() == topology.symmetric());
      CHECK(lazy.row_stochastic() == topology.row_stochastic());
      CHECK(lazy.column_stochastic() == topology.column_stochastic());
      if (!lazy.symmetric()) {
        CHECK_FALSE(lazy.least_eigenvalue().has_value());
        continue;
      }
      CHECK(std::abs(lazy.spectral_gap() - (1 - second_modulus(halved))) <= 1e-9);
      REQUIRE(lazy.least_eigenvalue().has_value());
      CHECK(*lazy.least_eigenvalue() >= -1e-12);
      CHECK(std::abs(*lazy.least_eigenvalue() - (1 + *topology.least_eigenvalue()) / 2) <= 1e-12);
    }
  }
}

TEST_CASE("a graph of several rounds keeps its weights; a directed one takes no undirected rule") {
  for (const char* rule : {"metropolis", "uniform", "laplacian", "lazy"}) {
    CHECK(graph_refusal("one-peer-exponential", 8, rule).find("has weights of its own") != std::string::npos);
  }
  CHECK(graph("one-peer-exponential", 8, {"given", 0}).at(0, 0).self_weight == 0.5);
  CHECK(graph_refusal("exponential", 8, "metropolis") ==
        "weights=metropolis is for undirected graphs but topology exponential is directed; valid are auto, uniform, "
        "out-uniform, max-degree, lazy");
  CHECK(graph_refusal("exponential:8", 8) ==
        "topology exponential takes no parameters; 'exponential:8' is written exponential");
}
