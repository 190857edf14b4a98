#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.hpp"
#include "tests/topology_cases.hpp"
#include "topology/topology.hpp"

using namespace gossamer;
using namespace gossamer::test;

namespace {

const Place& place_at(const Topology& topology, const std::vector<Place>& places, std::size_t position) {
  return places[static_cast<std::size_t>(topology.rank_at(position))];
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a ring enters and leaves every host once, however ranks are scattered") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const std::size_t size = 1 + seed % 33;
    const std::vector<Place> places = scattered_places(size, 1 + seed % 6, 1 + static_cast<int>(seed % 4), seed);
    INFO("seed ", seed, ", ", size, " ranks");
    const Topology ring = Topology::from_spec("ring", places);
    std::map<std::uint64_t, int> left;
    std::map<std::uint64_t, int> entered;
    std::set<std::uint64_t> hosts;
    for (std::size_t position = 0; position < size; ++position) {
      const std::uint64_t here = place_at(ring, places, position).host;
      const std::uint64_t next = place_at(ring, places, (position + 1) % size).host;
      hosts.insert(here);
      if (here == next) continue;
      ++left[here];
      ++entered[next];
    }
    for (std::uint64_t host : hosts) {
      CHECK(left[host] == (hosts.size() > 1 ? 1 : 0));
      CHECK(entered[host] == (hosts.size() > 1 ? 1 : 0));
    }
  }
}

TEST_CASE("within a host, ranks of one NUMA node are adjacent and in rank order") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const std::size_t size = 2 + seed % 40;
    const std::vector<Place> places = scattered_places(size, 1 + seed % 5, 4, seed);
    INFO("seed ", seed, ", ", size, " ranks");
    const Topology ring = Topology::from_spec("ring", places);
    for (std::size_t position = 1; position < size; ++position) {
      const Place& before = place_at(ring, places, position - 1);
      const Place& here = place_at(ring, places, position);
      if (before.host != here.host) continue;
      const auto key = [&](const Place& place, std::size_t at) { return std::pair(place.numa, ring.rank_at(at)); };
      CHECK(key(before, position - 1) < key(here, position));
    }
  }
}

TEST_CASE("hosts come in the order of their lowest ranks, whatever their identities") {
  // Ranks 0 … 6 on hosts b a b c a b a: b has the lowest rank, then a, then c.
  const auto order = [](std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    const std::vector<Place> places = {{b, 1}, {a, 0}, {b, 0}, {c, 0}, {a, 0}, {b, 1}, {a, 0}};
    const Topology topology = Topology::from_spec("ring", places);
    std::vector<int> ranks;
    for (std::size_t position = 0; position < places.size(); ++position) ranks.push_back(topology.rank_at(position));
    return ranks;
  };
  const std::vector<int> expected = {2, 0, 5, 1, 4, 6, 3};
  CHECK(order(1, 2, 3) == expected);
  CHECK(order(3, 1, 2) == expected);
  CHECK(order(~0ULL, 0, 17) == expected);
}

TEST_CASE("the first dimension stays within a host when its size divides the host's ranks") {
  // Four hosts of four ranks each, dealt out round-robin as mpirun --map-by node does.
  std::vector<Place> places(16);
  for (std::size_t rank = 0; rank < places.size(); ++rank) places[rank] = {rank % 4, 0};
  for (const char* spec : {"torus:4x4", "torus:2x8", "torus:2x2x4", "hypercube"}) {
    INFO(spec);
    const Topology topology = Topology::from_spec(spec, places);
    const Dimension& first = topology.dimensions()[0];
    for (int rank = 0; rank < 16; ++rank) {
      for (std::size_t digit = 0; digit < first.size; ++digit) {
        CHECK(places[static_cast<std::size_t>(topology.peer(rank, first, digit))].host ==
              places[static_cast<std::size_t>(rank)].host);
      }
    }
  }
}

TEST_CASE("hierarchical is this host's ranks times the hosts, however ranks are scattered") {
  std::vector<Place> places(12);
  for (std::size_t rank = 0; rank < places.size(); ++rank) places[rank] = {rank % 3 * 7 + 1, 0};
  const Topology topology = Topology::from_spec("hierarchical", places);
  REQUIRE(topology.dimensions().size() == 2);
  CHECK(topology.dimensions()[0].size == 4);
  CHECK(topology.dimensions()[1].size == 3);
  for (int rank = 0; rank < 12; ++rank) {
    const auto host = [&](const Dimension& dimension, std::size_t digit) {
      return places[static_cast<std::size_t>(topology.peer(rank, dimension, digit))].host;
    };
    std::set<std::uint64_t> within;
    std::set<std::uint64_t> across;
    for (std::size_t digit = 0; digit < 4; ++digit) within.insert(host(topology.dimensions()[0], digit));
    for (std::size_t digit = 0; digit < 3; ++digit) across.insert(host(topology.dimensions()[1], digit));
    CHECK(within == std::set<std::uint64_t>{places[static_cast<std::size_t>(rank)].host});
    CHECK(across.size() == 3);
  }
  CHECK(Topology::from_spec("hierarchical", std::vector<Place>(5)).dimensions().size() == 1);
}

TEST_CASE("hierarchical on uneven hosts says how many ranks each has, and what to write instead") {
  const std::vector<Place> places = {{1, 0}, {1, 0}, {2, 0}, {1, 0}, {2, 0}, {3, 0}};
  CHECK_THROWS_WITH_AS(Topology::from_spec("hierarchical", places),
                       "topology hierarchical needs as many ranks on each host, but the 3 hosts have 3, 2, 1; "
                       "hierarchical:local=K makes groups of K ranks, where K divides 6",
                       Error);
  CHECK(Topology::from_spec("hierarchical:local=2", places).dimensions()[0].size == 2);
  CHECK_THROWS_WITH_AS(Topology::from_spec("hierarchical:local=4", places),
                       "topology hierarchical:local=4: 6 ranks do not make groups of 4", Error);
}

TEST_CASE("dot text has one cluster per host and every edge once") {
  for (const std::string& spec : specs_for(12)) {
    INFO(spec);
    const std::vector<Place> places = scattered_places(12, 3, 1, 5);
    std::set<std::uint64_t> hosts;
    for (const Place& place : places) hosts.insert(place.host);
    const Topology topology = Topology::from_spec(spec, places);
    std::size_t degrees = 0;
    for (int rank = 0; rank < 12; ++rank) degrees += topology.neighbours(rank).size();
    const std::string dot = topology.to_dot(places);
    CHECK(count(dot, "subgraph cluster_") == hosts.size());
    CHECK(count(dot, "--") == degrees / 2);
    CHECK(std::count(dot.begin(), dot.end(), '{') == std::count(dot.begin(), dot.end(), '}'));
    CHECK(dot.find(spec) != std::string::npos);
  }
}

TEST_CASE("dot text refuses a placement of another size") {
  const Topology topology = Topology::from_spec("ring", std::vector<Place>(3));
  CHECK_THROWS_WITH_AS(topology.to_dot(std::vector<Place>(2)), "to_dot: 2 places are given for 3 ranks", Error);
}

TEST_CASE("this_place is the same each time, and names a NUMA node") {
  const Place first = this_place();
  const Place second = this_place();
  CHECK(first.host == second.host);
  CHECK(first.host != 0);
  CHECK(first.numa >= 0);
}
