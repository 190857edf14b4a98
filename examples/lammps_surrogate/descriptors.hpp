#pragma once

#include <Eigen/Core>

#include <vector>

#include "simulation.hpp"

namespace surrogate {

/// Descriptors of atoms, one column per atom.
using Features = Eigen::MatrixXf;

/// A radial symmetry function, Σ_j exp(−width (r_ij − centre)²) fc(r_ij).
struct Radial {
  double centre;  ///< Å
  double width;   ///< 1/Å²
};

/// An angular symmetry function,
/// 2^(1−ζ) Σ_{j<k} (1 + λ cos θ_jik)^ζ exp(−width (r_ij² + r_ik² + r_jk²)) fc(r_ij) fc(r_ik) fc(r_jk), with ζ =
/// 2^zeta_log2.
struct Angular {
  double width;  ///< 1/Å²
  int zeta_log2;
  int lambda;  ///< +1 or −1
};

/// Atom-centred symmetry functions G2 and G4 (Behler and Parrinello, Phys. Rev. Lett. 98, 146401 (2007); Behler,
/// J. Chem. Phys. 134, 074106 (2011)), with fc(r) = (cos(π r / cutoff) + 1) / 2 within the cutoff and 0 beyond.
/// They do not change when the atoms are moved or turned together, or renumbered. Immutable; thread-safe.
class Descriptors {
 public:
  /// 32 radial functions within `radial_cutoff` and 16 angular ones within `angular_cutoff`, both in Å.
  Descriptors(double radial_cutoff, double angular_cutoff);

  [[nodiscard]] int size() const { return static_cast<int>(radial_.size() + angular_.size()); }
  /// How far ghosts must reach around own atoms, Å.
  [[nodiscard]] double reach() const { return radial_cutoff_; }
  /// size() × frame.own. The frame's ghosts must reach() around its own atoms.
  [[nodiscard]] Features compute(const Frame& frame) const;

 private:
  struct Neighbour {
    Eigen::Vector3d offset;  ///< from the central atom, Å
    double distance;         ///< Å
  };
  [[nodiscard]] std::vector<Neighbour> neighbours(const Frame& frame, int atom) const;
  void add_radial(const std::vector<Neighbour>& around, Eigen::VectorXd& out) const;
  void add_angular(const std::vector<Neighbour>& around, Eigen::VectorXd& out) const;

  double radial_cutoff_;
  double angular_cutoff_;
  std::vector<Radial> radial_;
  std::vector<Angular> angular_;
};

}  // namespace surrogate
