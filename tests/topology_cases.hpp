#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "topology/topology.hpp"

namespace gossamer::test {

inline constexpr std::size_t kSizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 30};

/// Every two-factor torus of `size`, and the three-factor ones whose first two factors are 2 and 2 or 3.
inline std::vector<std::string> torus_specs(std::size_t size) {
  std::vector<std::string> specs;
  for (std::size_t factor = 1; factor <= size; ++factor) {
    if (size % factor == 0) specs.push_back("torus:" + std::to_string(factor) + "x" + std::to_string(size / factor));
  }
  for (std::size_t second : {2, 3}) {
    if (size % (2 * second) != 0) continue;
    specs.push_back("torus:2x" + std::to_string(second) + "x" + std::to_string(size / 2 / second));
  }
  return specs;
}

/// Specs of every product in the registry for `size` ranks.
inline std::vector<std::string> specs_for(std::size_t size) {
  std::vector<std::string> specs;
  for (const TopologyEntry& entry : topologies()) {
    if (!std::holds_alternative<TopologyEntry::MakeProduct>(entry.make)) continue;
    if (entry.name == "torus") {
      for (const std::string& spec : torus_specs(size)) specs.push_back(spec);
    } else if (entry.name == "hierarchical") {
      for (std::size_t local = 1; local <= size; ++local) {
        if (size % local == 0) specs.push_back("hierarchical:local=" + std::to_string(local));
      }
    } else if (entry.name == "ring" || entry.name == "auto") {
      specs.emplace_back(entry.name);
      specs.emplace_back(entry.name == "ring" ? "ring:order=measured" : "auto:bytes=64");
    } else {
      REQUIRE_MESSAGE(entry.form == entry.name, "say here how ", std::string(entry.form), " is sized for n ranks");
      specs.emplace_back(entry.name);
    }
  }
  return specs;
}

/// A placement as a batch system might make it at its worst: hosts of uneven size, ranks scattered over them.
inline std::vector<Place> scattered_places(std::size_t size, std::uint64_t hosts, int numa_nodes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> names(hosts);
  for (std::uint64_t& name : names) name = random();
  std::vector<Place> places(size);
  for (Place& place : places) {
    // The smaller of two draws: the first hosts get more ranks than the last.
    place.host = names[std::min(random() % hosts, random() % hosts)];
    place.numa = static_cast<int>(random() % static_cast<std::uint64_t>(numa_nodes));
  }
  return places;
}

using Matrix = std::vector<std::vector<double>>;

/// The mixing matrix, put together from its rows.
inline Matrix mixing_matrix(const Topology& topology, std::uint64_t round = 0) {
  const auto size = static_cast<std::size_t>(topology.size());
  Matrix matrix(size, std::vector<double>(size, 0));
  for (std::size_t rank = 0; rank < size; ++rank) {
    const Neighbourhood row = topology.at(static_cast<int>(rank), round);
    matrix[rank][rank] = row.self_weight;
    for (const Edge& edge : row.in) matrix[rank][static_cast<std::size_t>(edge.rank)] += edge.weight;
  }
  return matrix;
}

inline Matrix square(const Matrix& matrix) {
  const std::size_t size = matrix.size();
  Matrix product(size, std::vector<double>(size, 0));
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t k = 0; k < size; ++k)
      for (std::size_t j = 0; j < size; ++j) product[i][j] += matrix[i][k] * matrix[k][j];
  return product;
}

/// The spectral radius of W − J/n by Gelfand's formula, ‖M^(2^k)‖^(1/2^k): no eigensolver, no symmetry, no structure.
inline double second_modulus(Matrix matrix) {
  const auto size = static_cast<double>(matrix.size());
  for (auto& row : matrix)
    for (double& value : row) value -= 1 / size;
  double log_radius = 0;
  double power = 1;
  for (int squaring = 0; squaring < 45; ++squaring, power *= 2) {
    double norm = 0;
    for (const auto& row : matrix)
      for (double value : row) norm += value * value;
    norm = std::sqrt(norm);
    if (norm < 1e-13) return 0;  // W = J/n up to rounding
    for (auto& row : matrix)
      for (double& value : row) value /= norm;
    log_radius += std::log(norm) / power;
    matrix = square(matrix);
  }
  return std::exp(log_radius);
}

}  // namespace gossamer::test
