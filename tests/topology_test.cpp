#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/error.hpp"
#include "tests/topology_cases.hpp"
#include "topology/topology.hpp"

using namespace gossamer;
using namespace gossamer::test;

namespace {

std::vector<Place> one_host(std::size_t size) {
  return std::vector<Place>(size);
}

// Calls check for every product at every size, ranks scattered over three hosts of two NUMA nodes.
void for_every_topology(const std::function<void(const Topology&)>& check) {
  for (std::size_t size : kSizes) {
    for (const std::string& spec : specs_for(size)) {
      const std::uint64_t seed = 1000 + size;
      INFO(spec, " with ", size, " ranks, placement seed ", seed);
      check(Topology::from_spec(spec, scattered_places(size, 3, 2, seed)));
    }
  }
}

std::string refusal(const std::string& spec, std::size_t size, std::string_view weights = "auto") {
  try {
    Topology::from_spec(spec, one_host(size), {weights, 0});
  } catch (const Error& error) {
    CHECK(error.status() == Status::argument);
    return error.what();
  }
  return "no error";
}

std::vector<std::size_t> sizes_of(const Topology& topology) {
  std::vector<std::size_t> sizes;
  for (const Dimension& dimension : topology.dimensions()) sizes.push_back(dimension.size);
  return sizes;
}

double norm_from_mean(const std::vector<double>& values, double mean) {
  double sum = 0;
  for (double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("dimension sizes multiply to the number of ranks, none is 1, and strides are running products") {
  for_every_topology([](const Topology& topology) {
    std::size_t product = 1;
    for (const Dimension& dimension : topology.dimensions()) {
      CHECK(dimension.size > 1);
      CHECK(dimension.stride == product);
      product *= dimension.size;
    }
    CHECK(product == static_cast<std::size_t>(topology.size()));
  });
}

TEST_CASE("position and rank_at are inverse") {
  for_every_topology([](const Topology& topology) {
    std::set<std::size_t> seen;
    for (int rank = 0; rank < topology.size(); ++rank) {
      CHECK(topology.rank_at(topology.position(rank)) == rank);
      CHECK(topology.position(rank) < static_cast<std::size_t>(topology.size()));
      seen.insert(topology.position(rank));
    }
    CHECK(seen.size() == static_cast<std::size_t>(topology.size()));
  });
}

TEST_CASE("peers of a rank in a dimension are a closed group that differs in that digit only") {
  for_every_topology([](const Topology& topology) {
    for (const Dimension& dimension : topology.dimensions()) {
      for (int rank = 0; rank < topology.size(); ++rank) {
        CHECK(topology.peer(rank, dimension, topology.digit(rank, dimension)) == rank);
        for (std::size_t digit = 0; digit < dimension.size; ++digit) {
          const int peer = topology.peer(rank, dimension, digit);
          CHECK(topology.digit(peer, dimension) == digit);
          CHECK(topology.peer(peer, dimension, topology.digit(rank, dimension)) == rank);
          for (const Dimension& other : topology.dimensions()) {
            if (&other != &dimension) CHECK(topology.digit(peer, other) == topology.digit(rank, other));
          }
        }
      }
    }
  });
}

TEST_CASE("neighbours are ascending, symmetric, never oneself, and exactly those that a step exchanges with") {
  for_every_topology([](const Topology& topology) {
    for (int rank = 0; rank < topology.size(); ++rank) {
      std::set<int> expected;
      for (const Dimension& dimension : topology.dimensions()) {
        const std::size_t mine = topology.digit(rank, dimension);
        for (std::size_t digit = 0; digit < dimension.size; ++digit) {
          const std::size_t distance = (digit + dimension.size - mine) % dimension.size;
          const bool adjacent = distance == 1 || distance + 1 == dimension.size;
          if (distance != 0 && (dimension.direct || adjacent)) expected.insert(topology.peer(rank, dimension, digit));
        }
      }
      const std::vector<int> neighbours = topology.neighbours(rank);
      CHECK(neighbours == std::vector<int>(expected.begin(), expected.end()));
      CHECK(expected.count(rank) == 0);
      for (int other : neighbours) {
        const std::vector<int> back = topology.neighbours(other);
        CHECK(std::binary_search(back.begin(), back.end(), rank));
      }
    }
  });
}

TEST_CASE("the mixing matrix is symmetric, doubly stochastic and non-negative, with weights on the graph's edges") {
  for_every_topology([](const Topology& topology) {
    const Matrix matrix = mixing_matrix(topology);
    for (std::size_t i = 0; i < matrix.size(); ++i) {
      double row = 0;
      double column = 0;
      for (std::size_t j = 0; j < matrix.size(); ++j) {
        CHECK(matrix[i][j] >= 0);
        CHECK(matrix[i][j] == matrix[j][i]);
        row += matrix[i][j];
        column += matrix[j][i];
      }
      CHECK(std::abs(row - 1) <= 1e-12);
      CHECK(std::abs(column - 1) <= 1e-12);
    }
  });
}

TEST_CASE("on regular graphs all rules give Metropolis' weights, and laplacian gives its best constant") {
  for_every_topology([](const Topology& topology) {
    const std::vector<Place> places(static_cast<std::size_t>(topology.size()));
    const double gap = Topology::from_spec(topology.spec(), places).spectral_gap();
    for (const char* rule : {"metropolis", "uniform", "out-uniform", "max-degree"}) {
      CHECK(Topology::from_spec(topology.spec(), places, {rule, 0}).spectral_gap() == gap);
    }
    const Topology best = Topology::from_spec(topology.spec(), places, {"laplacian", 0});
    CHECK(best.spectral_gap() >= gap - 1e-12);
    CHECK(std::abs(best.spectral_gap() - (1 - second_modulus(mixing_matrix(best)))) <= 1e-12);
  });
}

TEST_CASE("weights are Metropolis-Hastings, edges ascend, in every round") {
  for_every_topology([](const Topology& topology) {
    for (std::uint64_t round : {std::uint64_t{0}, std::uint64_t{7}, ~std::uint64_t{0}}) {
      for (int rank = 0; rank < topology.size(); ++rank) {
        const Neighbourhood row = topology.at(rank, round);
        const std::vector<int> neighbours = topology.neighbours(rank);
        REQUIRE(row.in.size() == neighbours.size());
        REQUIRE(row.out.size() == neighbours.size());
        for (std::size_t i = 0; i < neighbours.size(); ++i) {
          const std::size_t degree = std::max(neighbours.size(), topology.neighbours(neighbours[i]).size());
          CHECK(row.in[i].rank == neighbours[i]);
          CHECK(row.out[i].rank == neighbours[i]);
          CHECK(row.in[i].weight == doctest::Approx(1.0 / (1.0 + static_cast<double>(degree))));
          CHECK(row.out[i].weight == row.in[i].weight);
        }
      }
    }
  });
}

TEST_CASE("a ring mixes in thirds, a pair in halves, a single rank keeps its values") {
  const Neighbourhood five = Topology::from_spec("ring", one_host(5)).at(0, 0);
  CHECK(five.self_weight == doctest::Approx(1.0 / 3));
  REQUIRE(five.in.size() == 2);
  CHECK(five.in[0].rank == 1);
  CHECK(five.in[1].rank == 4);
  CHECK(five.in[0].weight == doctest::Approx(1.0 / 3));
  const Neighbourhood pair = Topology::from_spec("ring", one_host(2)).at(1, 0);
  CHECK(pair.self_weight == 0.5);
  REQUIRE(pair.in.size() == 1);
  CHECK(pair.in[0].rank == 0);
  CHECK(pair.in[0].weight == 0.5);
  const Topology alone = Topology::from_spec("ring", one_host(1));
  CHECK(alone.at(0, 0).self_weight == 1);
  CHECK(alone.at(0, 0).in.empty());
  CHECK(alone.dimensions().empty());
  CHECK(alone.spectral_gap() == 1);
}

TEST_CASE("the spectral gap is in (0, 1] and that of the mixing matrix by Gelfand's formula") {
  for_every_topology([](const Topology& topology) {
    const double gap = topology.spectral_gap();
    CHECK(gap > 0);
    CHECK(gap <= 1);
    CHECK(std::abs(gap - (1 - second_modulus(mixing_matrix(topology)))) <= 1e-12);
  });
}

TEST_CASE("spectral gaps known from theory") {
  const auto gap = [](const std::string& spec, std::size_t size) {
    return Topology::from_spec(spec, one_host(size)).spectral_gap();
  };
  CHECK(std::abs(gap("ring", 8) - .19526) <= 5e-6);
  CHECK(std::abs(gap("ring", 16) - .05075) <= 5e-6);
  CHECK(std::abs(gap("ring", 64) - .00321) <= 5e-6);
  CHECK(gap("ring", 10000) == doctest::Approx(4 * 3.14159265358979 * 3.14159265358979 / 3 / 1e8).epsilon(1e-6));
  CHECK(std::abs(gap("torus:4x4", 16) - .4) <= 1e-12);
  CHECK(std::abs(gap("torus:5x5", 25) - .276) <= 5e-4);
  CHECK(std::abs(gap("torus:8x8", 64) - .117) <= 5e-4);
  CHECK(std::abs(gap("torus:3x3", 9) - .6) <= 1e-12);
  for (int log2 = 1; log2 <= 12; ++log2) {
    CHECK(std::abs(gap("hypercube", std::size_t{1} << log2) - 2.0 / (1 + log2)) <= 1e-12);
  }
  for (std::size_t size : {2, 3, 17, 1000}) CHECK(std::abs(gap("complete", size) - 1) <= 1e-12);
}

TEST_CASE("gossip contracts towards the mean at least as fast as the gap says, and keeps the mean") {
  for_every_topology([](const Topology& topology) {
    const Matrix matrix = mixing_matrix(topology);
    const std::size_t size = matrix.size();
    std::mt19937_64 random(size);
    std::vector<double> values(size);
    double mean = 0;
    for (double& value : values) {
      value = static_cast<double>(random() % 2001) / 1000 - 1;
      mean += value / static_cast<double>(size);
    }
    double bound = norm_from_mean(values, mean);
    for (int step = 0; step < 25; ++step) {
      std::vector<double> next(size, 0);
      for (std::size_t i = 0; i < size; ++i)
        for (std::size_t j = 0; j < size; ++j) next[i] += matrix[i][j] * values[j];
      values = next;
      bound *= 1 - topology.spectral_gap();
      CHECK(norm_from_mean(values, mean) <= bound * (1 + 1e-12) + 1e-13);
    }
  });
}

TEST_CASE("every product is connected") {
  for_every_topology([](const Topology& topology) {
    CHECK(topology.connected());
    std::vector<int> reached{0};
    std::set<int> seen{0};
    for (std::size_t i = 0; i < reached.size(); ++i) {
      for (int other : topology.neighbours(reached[i])) {
        if (seen.insert(other).second) reached.push_back(other);
      }
    }
    CHECK(seen.size() == static_cast<std::size_t>(topology.size()));
  });
}

TEST_CASE("shapes: one ring, the torus's factors, ascending primes, one direct exchange (B15)") {
  using Sizes = std::vector<std::size_t>;
  CHECK(sizes_of(Topology::from_spec("ring", one_host(12))) == Sizes{12});
  CHECK(sizes_of(Topology::from_spec("torus:4x3", one_host(12))) == Sizes{4, 3});
  CHECK(sizes_of(Topology::from_spec("torus:1x12x1", one_host(12))) == Sizes{12});
  CHECK(sizes_of(Topology::from_spec("hypercube", one_host(12))) == Sizes{2, 2, 3});
  CHECK(sizes_of(Topology::from_spec("hypercube", one_host(243))) == Sizes{3, 3, 3, 3, 3});
  CHECK(sizes_of(Topology::from_spec("hypercube", one_host(1000))) == Sizes{2, 2, 2, 5, 5, 5});
  CHECK(sizes_of(Topology::from_spec("hypercube", one_host(997))) == Sizes{997});
  const Topology complete = Topology::from_spec("complete", one_host(12));
  CHECK(sizes_of(complete) == Sizes{12});
  CHECK(complete.dimensions()[0].direct);
  CHECK(complete.spec() == "complete");
}

TEST_CASE("refused specs get a sentence with the value and the valid ones") {
  CHECK(refusal("chord", 4).starts_with("unknown topology 'chord'; known: ring, torus, hypercube, complete, "));
  CHECK(refusal("torus:2x3", 8) == "torus:2x3 has 6 places but there are 8 ranks");
  CHECK(refusal("torus:100000x100000x100000", 8).find("there are 8 ranks") != std::string::npos);
  CHECK(refusal("complete:8", 8) == "topology complete takes no parameters; 'complete:8' is written complete");
  CHECK(refusal("ring:8", 8) == "topology ring: '8' is not of the form key=value");
  CHECK(refusal("ring:size=8", 8).find("unknown topology ring key 'size'") == 0);
  CHECK(refusal("torus:colour=2,2x4", 8).find("unknown topology torus key 'colour'") == 0);
  CHECK(refusal("", 8).find("has no name") != std::string::npos);
  CHECK(refusal("ring", 0).find("0 ranks") != std::string::npos);
  CHECK(refusal("ring", 4, "heavy") ==
        "unknown weights 'heavy'; known: auto, metropolis, uniform, out-uniform, max-degree, laplacian, lazy, given");
  CHECK(refusal("ring", 4, "given").starts_with("weights=given, but topology ring comes without weights; valid are "));
  for (const char* malformed :
       {"torus", "torus:8", "torus:2x", "torus:x4", "torus:2xx4", "torus:0x8", "torus:-2x-4", "torus:2*4", "torus:2 x4",
        "torus:2x4x", "torus:2x4.0", "torus:2X4", "torus:2,4", "torus:99999999999999999999x1"}) {
    INFO(malformed);
    const std::string said = refusal(malformed, 8);
    CHECK(said.find("'" + std::string(malformed) + "'") == 0);
    CHECK(said.find("write torus:AxB") != std::string::npos);
  }
}
