#include "descriptors.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace surrogate {
namespace {

constexpr int radial_count = 32;
constexpr double nearest_centre_angstrom = 1.8;  // copper atoms hardly come closer, even in the melt

double cutoff_function(double distance, double cutoff) {
  return distance < cutoff ? 0.5 * (std::cos(std::numbers::pi * distance / cutoff) + 1) : 0.0;
}

double power_of_two_power(double base, int log2_exponent) {
  for (int i = 0; i < log2_exponent; ++i) base *= base;
  return base;
}

}  // namespace

Descriptors::Descriptors(double radial_cutoff, double angular_cutoff)
    : radial_cutoff_(radial_cutoff), angular_cutoff_(angular_cutoff) {
  if (angular_cutoff > radial_cutoff) throw std::invalid_argument("the angular cutoff exceeds the radial cutoff");
  const double spacing = (radial_cutoff - nearest_centre_angstrom) / radial_count;
  for (int i = 0; i < radial_count; ++i) {
    radial_.push_back({nearest_centre_angstrom + i * spacing, 1 / (2 * spacing * spacing)});
  }
  for (const double width : {0.005, 0.05}) {
    for (const int zeta_log2 : {0, 1, 2, 3}) {
      for (const int lambda : {-1, 1}) angular_.push_back({width, zeta_log2, lambda});
    }
  }
}

Features Descriptors::compute(const Frame& frame) const {
  Features out(size(), frame.own);
  Eigen::VectorXd column(size());
  for (int i = 0; i < frame.own; ++i) {
    const auto around = neighbours(frame, i);
    column.setZero();
    add_radial(around, column);
    add_angular(around, column);
    out.col(i) = column.cast<float>();
  }
  return out;
}

// All pairs: a rank's own atoms are a few hundred, so that a cell list would cost more than it saves.
std::vector<Descriptors::Neighbour> Descriptors::neighbours(const Frame& frame, int atom) const {
  std::vector<Neighbour> found;
  const int all = static_cast<int>(frame.positions.size() / 3);
  const Eigen::Map<const Eigen::Matrix3Xd> positions(frame.positions.data(), 3, all);
  const double limit = radial_cutoff_ * radial_cutoff_;
  for (int j = 0; j < all; ++j) {
    if (j == atom) continue;
    const Eigen::Vector3d offset = positions.col(j) - positions.col(atom);
    const double squared = offset.squaredNorm();
    if (squared < limit) found.push_back({offset, std::sqrt(squared)});
  }
  return found;
}

void Descriptors::add_radial(const std::vector<Neighbour>& around, Eigen::VectorXd& out) const {
  for (const Neighbour& j : around) {
    const double weight = cutoff_function(j.distance, radial_cutoff_);
    for (std::size_t f = 0; f < radial_.size(); ++f) {
      const double away = j.distance - radial_[f].centre;
      out[static_cast<Eigen::Index>(f)] += weight * std::exp(-radial_[f].width * away * away);
    }
  }
}

void Descriptors::add_angular(const std::vector<Neighbour>& around, Eigen::VectorXd& out) const {
  std::vector<Neighbour> near;
  std::copy_if(around.begin(), around.end(), std::back_inserter(near),
               [this](const Neighbour& j) { return j.distance < angular_cutoff_; });
  const auto first = static_cast<Eigen::Index>(radial_.size());
  for (std::size_t j = 0; j < near.size(); ++j) {
    for (std::size_t k = j + 1; k < near.size(); ++k) {
      const double opposite_squared = (near[j].offset - near[k].offset).squaredNorm();
      if (opposite_squared >= angular_cutoff_ * angular_cutoff_) continue;
      const double rj = near[j].distance, rk = near[k].distance;
      const double weight = cutoff_function(rj, angular_cutoff_) * cutoff_function(rk, angular_cutoff_) *
                            cutoff_function(std::sqrt(opposite_squared), angular_cutoff_);
      const double cosine = near[j].offset.dot(near[k].offset) / (rj * rk);
      const double squares = rj * rj + rk * rk + opposite_squared;
      for (std::size_t f = 0; f < angular_.size(); ++f) {
        const Angular& g = angular_[f];
        const double angle = 2 * power_of_two_power((1 + g.lambda * cosine) / 2, g.zeta_log2);
        out[first + static_cast<Eigen::Index>(f)] += weight * angle * std::exp(-g.width * squares);
      }
    }
  }
}

}  // namespace surrogate
