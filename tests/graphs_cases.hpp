#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/base/error.hpp"
#include "tests/topology_cases.hpp"
#include "topology/topology.hpp"

namespace gossamer::test {

/// Specs of every gossip graph in the registry for `size` ranks.
inline std::vector<std::string> graph_specs_for(std::size_t size) {
  std::vector<std::string> specs;
  for (const TopologyEntry& entry : topologies()) {
    if (!std::holds_alternative<TopologyEntry::MakeGraph>(entry.make)) continue;
    if (entry.name == "file") continue;  // has a test of its own
    if (entry.name == "base") {
      for (const char* k : {"1", "2", "3", "4"}) specs.push_back(std::string("base:k=") + k);
    } else if (entry.name == "equitopo") {
      for (const char* variant : {"D", "U", "OD", "OU"}) specs.push_back(std::string("equitopo:variant=") + variant);
    } else if (entry.name == "random-regular") {
      for (const std::size_t degree : {2, 3, 4, 6}) {
        if (degree < size && degree * size % 2 == 0) specs.push_back("random-regular:degree=" + std::to_string(degree));
      }
    } else if (entry.name == "small-world") {
      if (size > 4) specs.emplace_back("small-world:k=4,p=0.3");
    } else if (entry.name == "erdos-renyi" || entry.name == "matching" || entry.name == "grid") {
      specs.emplace_back(entry.name);
    } else if (entry.name == "moshpit") {
      for (const std::string& torus : torus_specs(size)) specs.push_back("moshpit" + torus.substr(torus.find(':')));
    } else {
      REQUIRE_MESSAGE(entry.form == entry.name, "say here how ", std::string(entry.form), " is sized for n ranks");
      specs.emplace_back(entry.name);
    }
  }
  return specs;
}

inline Topology graph(const std::string& spec, std::size_t size, const GraphChoice& choice = {}) {
  return Topology::from_spec(spec, std::vector<Place>(size), choice);
}

/// Calls `check` for every gossip graph of `size` ranks, scattered over three hosts of two NUMA nodes.
inline void for_every_graph(std::size_t size, const std::function<void(const Topology&)>& check) {
  for (const std::string& spec : graph_specs_for(size)) {
    INFO(spec, " with ", size, " ranks");
    check(Topology::from_spec(spec, scattered_places(size, 3, 2, 77 + size), {"auto", 5}));
  }
}

/// What an argument error says.
inline std::string refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.status() == Status::argument);
    return error.what();
  }
  return "nothing was refused";
}

inline std::string graph_refusal(const std::string& spec, std::size_t size, std::string_view weights = "auto") {
  return refusal_of([&] { static_cast<void>(graph(spec, size, {weights, 0})); });
}

inline Matrix product(const Matrix& a, const Matrix& b) {
  Matrix result(a.size(), std::vector<double>(a.size(), 0));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a.size(); ++k)
      if (a[i][k] != 0)
        for (std::size_t j = 0; j < a.size(); ++j) result[i][j] += a[i][k] * b[k][j];
  return result;
}

/// W of the last round of a period times … times W of the first.
inline Matrix matrix_of_a_period(const Topology& topology) {
  Matrix total = mixing_matrix(topology, 0);
  for (std::uint64_t round = 1; round < topology.period(); ++round) {
    total = product(mixing_matrix(topology, round), total);
  }
  return total;
}

/// The largest difference from J/n.
inline double distance_from_average(const Matrix& matrix) {
  double largest = 0;
  for (const auto& row : matrix)
    for (const double value : row)
      largest = std::max(largest, std::abs(value - 1 / static_cast<double>(matrix.size())));
  return largest;
}

}  // namespace gossamer::test
