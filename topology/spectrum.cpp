// What needs eigenvalues: Eigen stays in this file.
#include "topology/spectrum.hpp"

#include <Eigen/Dense>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

using Round = std::vector<Neighbourhood>;
using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t kDense = 512;            // above it an eigensolver would take seconds
constexpr std::size_t kDenseSymmetric = 1024;  // the same
constexpr std::size_t kDenseLaplacian = 2048;  // symmetric and once only
constexpr double kExact = 1e-12;               // what rounding leaves of a difference that is 0
constexpr double kSuspicious = 1e-3;           // an eigenvalue that may be 0 for all that an eigensolver knows

double degree(const Dimension& dimension) {
  return static_cast<double>(dimension.direct ? dimension.size - 1 : std::min<std::size_t>(dimension.size - 1, 2));
}

// A complete graph of p has p beside 0; a ring of p has 2 − 2·cos(2πk/p), and a ring of two is a complete graph (one
// edge, not two).
LaplacianRange laplacian_range(const Dimension& dimension) {
  if (dimension.direct || dimension.size == 2) return {degree(dimension) + 1, degree(dimension) + 1};
  const double angle = 2 * std::numbers::pi / static_cast<double>(dimension.size);
  return {2 - 2 * std::cos(angle), 2 - 2 * std::cos(angle * static_cast<double>(dimension.size / 2))};
}

// One round of values, one column per vector: W·x, or x·W when transposed.
template <typename Values>
Values mix(const Round& round, const Values& x, bool transposed) {
  Values y(x.rows(), x.cols());
  for (Index i = 0; i < x.rows(); ++i) {
    const Neighbourhood& row = round[static_cast<std::size_t>(i)];
    y.row(i) = row.self_weight * x.row(i);
    for (const Edge& edge : transposed ? row.out : row.in) y.row(i) += edge.weight * x.row(edge.rank);
  }
  return y;
}

template <typename Values>
Values mix_a_period(const std::vector<Round>& rounds, Values x, bool transposed) {
  for (std::size_t t = 0; t < rounds.size(); ++t) {
    x = mix(rounds[transposed ? rounds.size() - 1 - t : t], x, transposed);
  }
  return x;
}

template <typename Values>
void remove_mean(Values& x) {
  const auto mean = x.colwise().mean().eval();
  x.rowwise() -= mean;
}

// Of a symmetric operator without its eigenvalue 1: Lanczos, orthogonalised against everything before.
double lanczos_radius(const std::vector<Round>& rounds, VectorXd start) {
  const Index steps = std::min<Index>(start.size() - 1, 300);
  MatrixXd basis(start.size(), steps);
  VectorXd diagonal(steps);
  VectorXd beside(steps);
  Index done = 0;
  for (VectorXd next = start.normalized(); done < steps; ++done) {
    basis.col(done) = next;
    VectorXd image = mix(rounds.front(), next, false);
    remove_mean(image);
    diagonal[done] = image.dot(next);
    for (int twice = 0; twice < 2; ++twice) {
      image -= basis.leftCols(done + 1) * (basis.leftCols(done + 1).transpose() * image);
    }
    beside[done] = image.norm();
    if (beside[done] < kExact) {
      ++done;
      break;
    }
    next = image / beside[done];
  }
  Eigen::SelfAdjointEigenSolver<MatrixXd> solver;
  solver.computeFromTridiagonal(diagonal.head(done), beside.head(done - 1), Eigen::EigenvaluesOnly);
  return solver.eigenvalues().cwiseAbs().maxCoeff();
}

// Of any operator, by how much its second thousand of applications lets a vector grow.
double growth(const std::vector<Round>& rounds, VectorXd x, bool transposed) {
  constexpr int kPeriods = 1000;
  double logarithm = 0;
  for (int period = 0; period < 2 * kPeriods; ++period) {
    x = mix_a_period(rounds, x, transposed);
    remove_mean(x);
    const double norm = x.norm();
    if (norm < kExact) return 0;
    x /= norm;
    if (period >= kPeriods) logarithm += std::log(norm);
  }
  return std::exp(logarithm / kPeriods);
}

double sparse_radius(const std::vector<Round>& rounds, bool transposed, bool symmetric_alone) {
  Draw draw(0, "spectrum");
  VectorXd start(static_cast<Index>(rounds.front().size()));
  for (double& value : start) value = to_unit(draw()) - 0.5;
  remove_mean(start);
  if (symmetric_alone) return lanczos_radius(rounds, start);
  return growth(rounds, start.normalized(), transposed);
}

// A matrix whose powers end in 0 has no eigenvalue but 0, which an eigensolver finds badly: within the n-th root of a
// rounding error. Squared log2 n times, such a matrix comes to nothing between one square and the next.
bool is_nilpotent(MatrixXd matrix) {
  for (Index power = 1; power < matrix.rows(); power *= 2) {
    matrix /= matrix.norm();
    matrix = matrix * matrix;
    if (matrix.norm() < kExact) return true;
  }
  return false;
}

double dense_radius(const std::vector<Round>& rounds, bool transposed, bool symmetric_alone) {
  const auto size = static_cast<Index>(rounds.front().size());
  MatrixXd rest = mix_a_period(rounds, MatrixXd(MatrixXd::Identity(size, size)), transposed);
  remove_mean(rest);  // consensus is gone from the rows; what is left has the other eigenvalues, and 0
  if (rest.cwiseAbs().maxCoeff() < kExact) return 0;
  if (symmetric_alone) {
    return Eigen::SelfAdjointEigenSolver<MatrixXd>(rest, Eigen::EigenvaluesOnly).eigenvalues().cwiseAbs().maxCoeff();
  }
  const double radius = Eigen::EigenSolver<MatrixXd>(rest, false).eigenvalues().cwiseAbs().maxCoeff();
  return radius < kSuspicious && is_nilpotent(rest) ? 0 : radius;
}

}  // namespace

double LaplacianRange::gap(double weight) const noexcept {
  return 1 - std::max(std::abs(1 - weight * second), std::abs(1 - weight * largest));
}

// Each dimension's Laplacian acts on one digit alone. So they commute, and the eigenvalues of their sum are all sums of
// one eigenvalue of each: the second smallest leaves one dimension only.
LaplacianRange laplacian_range(std::span<const Dimension> dimensions) {
  LaplacianRange sum;
  for (const Dimension& dimension : dimensions) {
    const LaplacianRange range = laplacian_range(dimension);
    sum.second = sum.largest == 0 ? range.second : std::min(sum.second, range.second);
    sum.largest += range.largest;
  }
  return sum;
}

LaplacianRange laplacian_range(const GossipGraph& graph) {
  if (graph.size > kDenseLaplacian) {
    fail(Status::argument, "weights=laplacian needs the eigenvalues of a graph of ", graph.size,
         " ranks, and computes them for at most ", kDenseLaplacian, "; weights=metropolis has no limit");
  }
  const auto size = static_cast<Index>(graph.size);
  if (size == 1) return {};
  MatrixXd laplacian = MatrixXd::Zero(size, size);
  for (const Arc& arc : graph.rounds.front().arcs) {
    const auto to = static_cast<Index>(arc.to);
    laplacian(to, to) += 1;
    laplacian(to, static_cast<Index>(arc.from)) -= 1;
  }
  const VectorXd values = Eigen::SelfAdjointEigenSolver<MatrixXd>(laplacian, Eigen::EigenvaluesOnly).eigenvalues();
  return {values[1], values[size - 1]};
}

double gossip_gap(const std::vector<std::vector<Neighbourhood>>& rounds, bool row_stochastic, bool symmetric) {
  const std::size_t size = rounds.front().size();
  if (size == 1) return 1;
  // A matrix and its transpose have the same eigenvalues; the mean is taken off on the side where the sums are 1.
  const bool transposed = !row_stochastic;
  const bool symmetric_alone = symmetric && rounds.size() == 1;
  const double radius = size <= (symmetric_alone ? kDenseSymmetric : kDense)
                            ? dense_radius(rounds, transposed, symmetric_alone)
                            : sparse_radius(rounds, transposed, symmetric_alone);
  return 1 - std::pow(radius, 1 / static_cast<double>(rounds.size()));
}

std::optional<double> least_eigenvalue(const std::vector<Neighbourhood>& round) {
  if (round.size() > kDenseSymmetric) return std::nullopt;
  const auto size = static_cast<Index>(round.size());
  const MatrixXd matrix = mix(round, MatrixXd(MatrixXd::Identity(size, size)), false);
  return Eigen::SelfAdjointEigenSolver<MatrixXd>(matrix, Eigen::EigenvaluesOnly).eigenvalues()[0];
}

}  // namespace gossamer
