#pragma once

#include <deque>
#include <random>
#include <vector>

#include "descriptors.hpp"
#include "exchange.hpp"

namespace surrogate {

/// Atoms of one rank with their descriptors and energies: raw (eV, Σ fc …) or normalised.
struct Samples {
  Features features;          ///< descriptors × atoms
  Eigen::RowVectorXf energy;  ///< one per atom

  [[nodiscard]] Eigen::Index atoms() const { return energy.size(); }
};

/// The descriptors and energies of a frame's own atoms, unnormalised.
Samples make_samples(const Descriptors& descriptors, const Frame& frame);
/// Snapshots one after the other.
Samples concatenate(const std::deque<Samples>& snapshots);
/// `count` atoms drawn with replacement. Empty if there are none to draw from.
Samples draw(const Samples& pool, Eigen::Index count, std::mt19937_64& random);

/// Shifts and scales descriptors and energies to mean 0 and standard deviation 1 over the atoms of all ranks.
class Normaliser {
 public:
  Normaliser() = default;
  /// Collective: the statistics are of every rank's samples together.
  Normaliser(Ranks& ranks, const Samples& mine);

  [[nodiscard]] Samples apply(const Samples& raw) const;
  /// What one unit of normalised energy is in meV.
  [[nodiscard]] double energy_unit_mev() const { return 1000 * deviation_[deviation_.size() - 1]; }

  Eigen::VectorXf mean_, deviation_;  ///< descriptors, then the energy (eV)
};

}  // namespace surrogate
