// Links between ranks, measured or supposed, and what follows from them: predictions, tours, auto, ring:order=measured.
#include "topology/links.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "lib/base/error.hpp"
#include "tests/topology_cases.hpp"
#include "topology/prediction.hpp"
#include "topology/tour.hpp"

using namespace gossamer;
using namespace gossamer::test;

namespace {

std::vector<Place> one_rank_per_host(std::size_t size) {
  std::vector<Place> places(size);
  for (std::size_t rank = 0; rank < size; ++rank) places[rank].host = rank + 1;
  return places;
}

std::vector<Place> blocks(std::size_t hosts, std::size_t local) {
  std::vector<Place> places(hosts * local);
  for (std::size_t rank = 0; rank < places.size(); ++rank) places[rank].host = rank / local + 1;
  return places;
}

// Distances of random points in a square obey the triangle inequality.
Costs metric_costs(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> coordinate(0, 1);
  std::vector<std::pair<double, double>> points(size);
  for (auto& [x, y] : points) x = coordinate(random), y = coordinate(random);
  Costs costs(size);
  for (std::size_t a = 0; a < size; ++a) {
    for (std::size_t b = a + 1; b < size; ++b) {
      costs.set(a, b, std::hypot(points[a].first - points[b].first, points[a].second - points[b].second));
    }
  }
  return costs;
}

Costs arbitrary_costs(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> cost(1);
  Costs costs(size);
  for (std::size_t a = 0; a < size; ++a) {
    for (std::size_t b = a + 1; b < size; ++b) costs.set(a, b, cost(random));
  }
  return costs;
}

Tour natural_tour(std::size_t size) {
  Tour tour(size);
  std::iota(tour.begin(), tour.end(), std::size_t{0});
  return tour;
}

// By trying all.
double least_cost(const Costs& costs) {
  Tour tour = natural_tour(costs.size());
  double least = std::numeric_limits<double>::infinity();
  do {
    least = std::min(least, cost_of(tour, costs));
  } while (std::next_permutation(tour.begin() + 1, tour.end()));
  return least;
}

bool visits_all_from_0(Tour tour, std::size_t size) {
  const bool from_0 = tour.empty() || tour.front() == 0;
  std::sort(tour.begin(), tour.end());
  return from_0 && tour == natural_tour(size);
}

Tour short_tour(const Costs& costs) {
  Tour tour = spanning_tree_tour(costs);
  two_opt(tour, costs);
  return tour;
}

// Ranks in two racks by `rack`; between racks links are ten times slower.
Links racks(const std::vector<Place>& places, const std::vector<int>& rack) {
  Links links = Links::supposed(places);
  for (std::size_t a = 0; a < rack.size(); ++a) {
    for (std::size_t b = a + 1; b < rack.size(); ++b) {
      const double slower = rack[a] == rack[b] ? 1 : 10;
      links.set(static_cast<int>(a), static_cast<int>(b), {20e-6 * slower, 1e9 / slower});
    }
  }
  links.find_racks();
  return links;
}

int crossings(const Topology& topology, const std::vector<int>& rack) {
  const auto rack_at = [&](std::size_t position) {
    return rack[static_cast<std::size_t>(topology.rank_at(position % rack.size()))];
  };
  int count = 0;
  for (std::size_t position = 0; position < rack.size(); ++position) {
    count += rack_at(position) == rack_at(position + 1) ? 0 : 1;
  }
  return count;
}

std::string chosen(const std::string& spec, const std::vector<Place>& places, const Links& links) {
  const Topology topology = Topology::from_spec(spec, places, {"auto", 0, &links});
  return topology.reason().substr(0, topology.reason().find(' '));
}

}  // namespace

TEST_CASE("a link between two hosts is that of all their ranks, and alike both ways") {
  const std::vector<Place> places = {{7, 0}, {3, 0}, {7, 0}, {3, 0}, {9, 0}};
  Links links(places, {1, 2}, {3, 4});
  CHECK(links.between(0, 2).latency_seconds == 1);
  CHECK(links.between(3, 4).bytes_per_second == 4);
  links.set(2, 3, {5, 6});
  links.set(1, 3, {7, 8});
  for (const auto& [a, b] : {std::pair(0, 1), std::pair(3, 0), std::pair(1, 2), std::pair(2, 3)}) {
    CHECK(links.between(a, b).latency_seconds == 5);
  }
  CHECK(links.between(3, 1).latency_seconds == 7);
  CHECK(links.between(0, 2).latency_seconds == 1);
  CHECK(links.between(0, 4).latency_seconds == 3);
  CHECK(links.first_of_host(3) == 1);
  CHECK(Links::uniform({1, 2}).first_of_host(3) == 3);
}

TEST_CASE("messages share their sender, their receiver and their hosts' ways out") {
  const std::vector<Place> places = blocks(2, 2);
  const Links links(places, {1, 100}, {10, 10});
  const auto seconds = [&](const std::vector<std::pair<int, int>>& messages) {
    Rush rush(links, 4);
    for (const auto& [from, to] : messages) rush.send(from, to, 200);
    return rush.seconds();
  };
  CHECK(seconds({}) == 0);
  CHECK(seconds({{0, 1}}) == 1 + 2);
  CHECK(seconds({{0, 1}, {1, 0}}) == 1 + 2);
  CHECK(seconds({{0, 2}}) == 10 + 20);
  CHECK(seconds({{0, 2}, {1, 3}}) == 10 + 40);  // one way out of the host
  CHECK(seconds({{0, 2}, {2, 0}}) == 10 + 20);  // full duplex
  CHECK(seconds({{0, 2}, {0, 1}}) == 10 + 22);
}

TEST_CASE("hosts that reach each other fast are a rack, where another such rack is slow to reach") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    const std::size_t size = 4 + seed % 12;
    std::vector<int> rack(size);
    for (int& each : rack) each = static_cast<int>(random() % 3);
    const Links links = racks(one_rank_per_host(size), rack);
    INFO("seed ", seed, ", ", size, " hosts");
    const auto hosts_in = [&](int which) { return std::count(rack.begin(), rack.end(), which); };
    const bool two = (hosts_in(0) > 1 ? 1 : 0) + (hosts_in(1) > 1 ? 1 : 0) + (hosts_in(2) > 1 ? 1 : 0) > 1;
    for (std::size_t a = 0; a < size; ++a) {
      const auto first = std::find(rack.begin(), rack.end(), rack[a]) - rack.begin();
      CHECK(links.first_of_rack(static_cast<int>(a)) == (two ? static_cast<int>(first) : static_cast<int>(a)));
    }
  }
}

TEST_CASE("several ranks of a host belong to its rack; pairs that disturbed each other count as the fastest of them") {
  // Hosts of ranks {0, 1} and {4, 5} in one rack, {2, 3} and {6, 7} in the other.
  const std::vector<Place> places = blocks(4, 2);
  Links links(places, {1e-6, 1e10}, {20e-6, 1e9});
  const auto set = [&](int a, int b, double rate) { links.set(a, b, {20e-6, rate}); };
  set(0, 4, 1e9), set(2, 6, 1e9);
  set(0, 2, 1e8), set(4, 6, 1e8), set(0, 6, 2e8);  // and none of 2 and 4
  links.find_racks();
  const std::vector<int> expected = {0, 0, 2, 2, 0, 0, 2, 2};
  for (int rank = 0; rank < 8; ++rank) CHECK(links.first_of_rack(rank) == expected[static_cast<std::size_t>(rank)]);
  for (const auto& [a, b] : {std::pair(1, 3), std::pair(5, 7), std::pair(0, 7), std::pair(3, 4)}) {
    CHECK(links.between(a, b).bytes_per_second == 2e8);
  }
  CHECK(links.between(1, 5).bytes_per_second == 1e9);
  CHECK(links.text().ends_with("; racks of 2, 2 hosts"));
  Rush rush(links, 8);
  rush.send(0, 2, 1e8), rush.send(5, 7, 1e8);
  CHECK(rush.seconds() == doctest::Approx(20e-6 + 1));
}

TEST_CASE("no rack is where links differ a little, or where hosts are slow by themselves") {
  const auto all_alone = [](Links links, int size) {
    links.find_racks();
    for (int rank = 0; rank < size; ++rank) CHECK(links.first_of_rack(rank) == links.first_of_host(rank));
    CHECK(links.text().find("rack") == std::string::npos);
  };
  const auto with = [](auto rate) {
    Links links(one_rank_per_host(8), {1e-6, 1e10}, {20e-6, 1e9});
    for (int a = 0; a < 8; ++a) {
      for (int b = a + 1; b < 8; ++b) links.set(a, b, {20e-6, rate(a, b)});
    }
    return links;
  };
  std::mt19937_64 random(11);
  all_alone(with([&](int, int) { return 1e9 + static_cast<double>(random() % 900'000'000); }), 8);
  // One switch with hosts of 10 and of 1 Gbit/s.
  all_alone(with([](int a, int b) { return a < 4 && b < 4 ? 1.25e9 : 1.25e8; }), 8);
  // One pair was measured too fast.
  all_alone(with([](int a, int b) { return a == 0 && b == 1 ? 1e9 : 4e8; }), 8);
  all_alone(Links::supposed(blocks(4, 2)), 8);
}

TEST_CASE("messages between racks share one way") {
  const std::vector<int> rack = {0, 1, 0, 1};
  const Links links = racks(one_rank_per_host(4), rack);  // 1 GB/s within, 0.1 GB/s and 200 us between
  const auto seconds = [&](const std::vector<std::pair<int, int>>& messages) {
    Rush rush(links, 4);
    for (const auto& [from, to] : messages) rush.send(from, to, 1e8);
    return rush.seconds();
  };
  CHECK(seconds({{0, 2}, {1, 3}}) == doctest::Approx(20e-6 + 0.1));
  CHECK(seconds({{0, 1}}) == doctest::Approx(200e-6 + 1));
  CHECK(seconds({{0, 1}, {3, 2}}) == doctest::Approx(200e-6 + 1));  // full duplex
  CHECK(seconds({{0, 1}, {2, 3}}) == doctest::Approx(200e-6 + 2));
}

TEST_CASE("an all-reduce between hosts is predicted as by hand") {
  // Two hosts of two ranks; within 1 s and 100 B/s, between 10 s and 10 B/s; 400 bytes.
  const std::vector<Place> places = blocks(2, 2);
  const Links links(places, {1, 100}, {10, 10});
  const std::vector<int> order = {0, 1, 2, 3};
  const auto predicted = [&](const std::vector<Dimension>& dimensions) {
    return all_reduce_seconds(dimensions, order, links, 400);
  };
  CHECK(predicted({{.size = 4}}) == doctest::Approx(6 * (10 + 10)));
  CHECK(predicted({{.size = 2}, {.size = 2}}) == doctest::Approx(2 * (1 + 2) + 2 * (10 + 20)));
  CHECK(predicted({{.size = 4, .direct = true}}) == doctest::Approx(2 * (10 + 40)));
}

TEST_CASE("tours visit all places, cost no more than the tree walk, and obey its bound against the optimum") {
  int optimal = 0;
  int tried = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::size_t size = 1 + seed % 8;
    const Costs costs = metric_costs(size, seed);
    INFO("seed ", seed, ", ", size, " places");
    const Tour walk = spanning_tree_tour(costs);
    const Tour tour = short_tour(costs);
    CHECK(visits_all_from_0(walk, size));
    CHECK(visits_all_from_0(tour, size));
    const double least = least_cost(costs);
    CHECK(cost_of(walk, costs) <= 2 * least * (1 + 1e-12));
    CHECK(cost_of(tour, costs) <= cost_of(walk, costs) * (1 + 1e-12));
    CHECK(cost_of(tour, costs) >= least * (1 - 1e-12));
    optimal += cost_of(tour, costs) <= least * (1 + 1e-12) ? 1 : 0;
    ++tried;
  }
  INFO(optimal, " of ", tried, " tours are the best there are");
  CHECK(optimal >= tried * 3 / 4);
}

TEST_CASE("no stretch of a tour can be reversed for less, whatever the costs") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const std::size_t size = 4 + seed;
    const Costs costs = arbitrary_costs(size, seed);
    const Tour tour = short_tour(costs);
    INFO("seed ", seed, ", ", size, " places");
    REQUIRE(visits_all_from_0(tour, size));
    CHECK(tour == short_tour(costs));
    for (std::size_t first = 1; first < size; ++first) {
      for (std::size_t end = first + 2; end <= size; ++end) {
        Tour other = tour;
        std::reverse(other.begin() + static_cast<std::ptrdiff_t>(first),
                     other.begin() + static_cast<std::ptrdiff_t>(end));
        CHECK(cost_of(other, costs) >= cost_of(tour, costs) * (1 - 1e-9));
      }
    }
  }
}

TEST_CASE("costs that are all zero or all alike end, too") {
  for (const std::size_t size : {1, 2, 3, 4, 9}) {
    Costs costs(size);
    CHECK(visits_all_from_0(short_tour(costs), size));
    for (std::size_t a = 0; a < size; ++a) {
      for (std::size_t b = a + 1; b < size; ++b) costs.set(a, b, 0.1);
    }
    CHECK(visits_all_from_0(short_tour(costs), size));
  }
}

TEST_CASE("a ring by measured links enters the slow rack once, and says why") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const std::size_t size = 4 + seed % 20;
    std::mt19937_64 random(seed);
    std::vector<int> rack(size, 0);
    for (std::size_t rank = 0; rank < size; rank += 2) rack[rank] = 1;
    std::shuffle(rack.begin(), rack.end(), random);
    const std::vector<Place> places = one_rank_per_host(size);
    const Links links = racks(places, rack);
    const Topology by_host = Topology::from_spec("ring", places, {"auto", 0, &links});
    const Topology measured = Topology::from_spec("ring:order=measured", places, {"auto", 0, &links});
    INFO("seed ", seed, ", ", size, " ranks: ", measured.reason());
    CHECK(crossings(measured, rack) == 2);
    CHECK(measured.reason().starts_with(crossings(by_host, rack) == 2 ? "the order of the hosts" : "the order 0"));
    CHECK(by_host.reason().empty());
    for (std::size_t position = 0; position < size; ++position) {
      CHECK(measured.position(measured.rank_at(position)) == position);
    }
  }
}

TEST_CASE("ranks that measured differently are told apart by the fingerprint") {
  const std::vector<Place> places = one_rank_per_host(6);
  const auto fingerprint = [&](const std::vector<int>& rack) {
    const Links links = racks(places, rack);
    return Topology::from_spec("ring:order=measured", places, {"auto", 0, &links}).fingerprint();
  };
  CHECK(fingerprint({0, 1, 0, 1, 0, 1}) == fingerprint({0, 1, 0, 1, 0, 1}));
  CHECK(fingerprint({0, 1, 0, 1, 0, 1}) != fingerprint({0, 1, 1, 0, 0, 1}));
  CHECK(fingerprint({0, 1, 0, 1, 0, 1}) != fingerprint({0, 0, 0, 1, 1, 1}));
}

TEST_CASE("links that differ by less than measurements do leave the order of the hosts alone") {
  const std::vector<Place> places = one_rank_per_host(8);
  std::mt19937_64 random(5);
  Links links = Links::supposed(places);
  for (int a = 0; a < 8; ++a) {
    for (int b = a + 1; b < 8; ++b) links.set(a, b, {20e-6, 1e9 + static_cast<double>(random() % 40'000'000)});
  }
  const Topology topology = Topology::from_spec("ring:order=measured", places, {"auto", 0, &links});
  for (int rank = 0; rank < 8; ++rank) CHECK(topology.rank_at(static_cast<std::size_t>(rank)) == rank);
}

TEST_CASE("auto takes what is predicted to be fastest") {
  const std::vector<Place> together(8);
  const Links alike = Links::uniform({20e-6, 1e9});
  CHECK(chosen("auto:bytes=64", together, alike) == "complete");      // 2 latencies instead of 14
  CHECK(chosen("auto:bytes=1073741824", together, alike) == "ring");  // all send the same bytes: fewest neighbours
  CHECK(chosen("auto", {Place{}}, alike) == "ring");
  const std::vector<Place> hosts = blocks(4, 4);
  CHECK(chosen("auto:bytes=16777216", hosts, Links(hosts, {1e-6, 1e10}, {20e-6, 1e8})) == "hierarchical");
  // 128 single ranks: too many for complete, too many steps for a ring.
  const std::vector<Place> many = one_rank_per_host(128);
  CHECK(chosen("auto:bytes=4096", many, Links::supposed(many)) == "hypercube");
}

TEST_CASE("auto orders the ring where racks share a slow way") {
  const std::vector<Place> places = one_rank_per_host(6);
  const std::vector<int> by_turns = {0, 1, 0, 1, 0, 1};
  const Links links = racks(places, by_turns);
  const Topology topology = Topology::from_spec("auto:bytes=6000000", places, {"auto", 0, &links});
  INFO(topology.reason());
  // Ten steps in which 1 MB leaves each rack.
  CHECK(topology.reason().starts_with("ring:order=measured 102 ms predicted"));
  CHECK(topology.reason().find("; the order 0 ") != std::string::npos);
  CHECK(crossings(topology, by_turns) == 2);
  // Where racks follow each other, 3 MB twice between them, and before and after that 2 MB twice within.
  const Links in_blocks = racks(places, {0, 0, 0, 1, 1, 1});
  const Topology torus = Topology::from_spec("auto:bytes=6000000", places, {"auto", 0, &in_blocks});
  CHECK(torus.reason().starts_with("torus:3x2 68.5 ms predicted"));
}

TEST_CASE("auto is the product it names, and nothing in its list is predicted to be clearly faster") {
  for (const std::size_t size : kSizes) {
    const std::vector<Place> places = scattered_places(size, 3, 2, size);
    const Links links = Links::supposed(places);
    for (const char* bytes : {"1", "65536", "100000000"}) {
      const Topology automatic = Topology::from_spec(sentence("auto:bytes=", bytes), places);
      const std::string spec = automatic.reason().substr(0, automatic.reason().find(' '));
      INFO(size, " ranks, ", bytes, " bytes: ", automatic.reason());
      const Topology written = Topology::from_spec(spec, places);
      REQUIRE(automatic.dimensions().size() == written.dimensions().size());
      std::vector<int> order;
      for (std::size_t i = 0; i < size; ++i) order.push_back(written.rank_at(i));
      const auto seconds = [&](const Topology& topology) {
        return all_reduce_seconds(topology.dimensions(), order, links, std::stod(bytes));
      };
      for (const char* other : {"ring", "hypercube", "complete"}) {
        CHECK(seconds(written) <= 1.1 * seconds(Topology::from_spec(other, places)) * (1 + 1e-12));
      }
    }
  }
}

TEST_CASE("who wants measured links, and who refuses them") {
  CHECK(Topology::wants_links("auto"));
  CHECK(Topology::wants_links("ring:order=measured"));
  CHECK_FALSE(Topology::wants_links("ring"));
  CHECK_FALSE(Topology::wants_links("torus:2x2"));
  CHECK_THROWS_WITH_AS(Topology::wants_links("ring:order=fast"),
                       "topology ring: order=fast is not valid; order is one of hosts, measured", Error);
  CHECK_THROWS_WITH_AS(Topology::from_spec("ring:order=measured", std::vector<Place>(2049)),
                       "topology ring:order=measured is for up to 2048 ranks, but there are 2049", Error);
}
