// Every topology for up to 64 ranks, at work: sums are sums, rounds of gossip come together as fast as theory says, and
// nobody is connected to anybody but neighbours.
#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <sstream>

#include "tests/graphs_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 424;
constexpr std::size_t kCount = 3;
constexpr int kRounds = 12;  // or one period, if that is longer

using Model = std::vector<double>;
using RankModels = Matrix;  // a model of each

Model start_of(int rank) {
  const std::vector<float> values = normal_values(kSeed, rank, 0, kCount);
  return {values.begin(), values.end()};
}

/// Of a matrix by rows, or of the ranks' models.
Eigen::MatrixXd dense(const Matrix& rows) {
  return Eigen::MatrixXd::NullaryExpr(
      static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(rows.front().size()),
      [&](Eigen::Index i, Eigen::Index j) { return rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]; });
}

double spectral_norm(const Eigen::MatrixXd& matrix) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> squares(matrix.transpose() * matrix, Eigen::EigenvaluesOnly);
  return std::sqrt(std::max(0.0, squares.eigenvalues().maxCoeff()));
}

/// From the mean, in the Frobenius norm.
double spread(const Eigen::MatrixXd& models) {
  return (models.rowwise() - models.colwise().mean()).norm();
}

/// Whom the transport says that it has connected to.
std::vector<int> connected_in(const std::string& description) {
  const std::string words = "connected to rank(s)";
  const std::size_t at = description.find(words);
  expect(at != std::string::npos, "no connections in: ", description);
  std::istringstream line(description.substr(at + words.size(), description.find('\n', at) - at - words.size()));
  std::vector<int> ranks;
  for (int rank = 0; line >> rank;) ranks.push_back(rank);
  return ranks;
}

/// What a world of threads did.
struct Deeds {
  std::vector<RankModels> models;  // at first, and after every period
  RankModels sums;
  std::vector<double> weights;
  std::vector<std::vector<int>> connections;
};

Deeds deeds_of(const Topology& topology, const std::string& config, std::uint64_t periods) {
  const auto size = static_cast<std::size_t>(topology.size());
  Deeds deeds{std::vector<RankModels>(periods + 1, RankModels(size)), RankModels(size), std::vector<double>(size),
              std::vector<std::vector<int>>(size)};
  ThreadGroup group(topology.size());
  run_ranks(topology.size(), [&](int rank) {
    const auto own = static_cast<std::size_t>(rank);
    const CommHandle comm = make_comm(group, rank, "transport=inproc " + config);
    deeds.connections[own] = connected_in(describe(comm.get()));
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "identity", GOSS_FLOAT64);
    Model model = start_of(rank);
    deeds.models[0][own] = model;
    deeds.sums[own] = model;
    ok(goss_allreduce(tensor.get(), deeds.sums[own].data(), GOSS_SUM), "all-reduce");
    for (std::uint64_t period = 1; period <= periods; ++period) {
      for (std::uint64_t round = 0; round < topology.period(); ++round) ok(goss_mix(tensor.get(), model.data()), "mix");
      deeds.models[period][own] = model;
    }
    ok(goss_tensor_weight(tensor.get(), &deeds.weights[own]), "weight");
    group.barrier();
  });
  return deeds;
}

void check_sums_and_connections(const Topology& topology, const Deeds& deeds) {
  const Eigen::MatrixXd start = dense(deeds.models[0]);
  const Eigen::MatrixXd exact = start.colwise().sum().replicate(start.rows(), 1);
  CHECK((dense(deeds.sums) - exact).cwiseAbs().maxCoeff() <= 1e-12);
  for (int rank = 0; rank < topology.size(); ++rank) {
    CHECK(deeds.connections[static_cast<std::size_t>(rank)] == topology.neighbours(rank));
  }
}

bool is_exact_after_a_period(const Topology& topology) {
  const std::string name = topology.spec().substr(0, topology.spec().find(':'));
  return name == "base" || name == "moshpit" || name == "complete" ||
         (name == "one-peer-exponential" && std::has_single_bit(static_cast<unsigned>(topology.size())));
}

/// ‖x_t − mean‖ <= σ^k ‖x_0 − mean‖ after k periods, σ the norm of a period's matrix away from the mean: 1 − gap for
/// one symmetric matrix.
void check_pace(const Topology& topology, const Deeds& deeds) {
  REQUIRE((topology.row_stochastic() && topology.column_stochastic()));
  const Eigen::MatrixXd period = dense(matrix_of_a_period(topology));
  const double sigma = spectral_norm(period.array() - 1.0 / topology.size());
  if (is_exact_after_a_period(topology)) CHECK(sigma <= 1e-14);
  if (topology.symmetric() && topology.period() == 1) CHECK(std::abs(sigma - (1 - topology.spectral_gap())) <= 1e-9);
  const Eigen::MatrixXd start = dense(deeds.models[0]);
  double bound = spread(start);
  for (std::size_t k = 1; k < deeds.models.size(); ++k) {
    const Eigen::MatrixXd now = dense(deeds.models[k]);
    bound *= sigma;
    CHECK(spread(now) <= bound * (1 + 1e-9) + 1e-13);
    CHECK((now.colwise().mean() - start.colwise().mean()).cwiseAbs().maxCoeff() <= 1e-13);
  }
}

/// GOSSAMER_EVERY_SIZE: all of 2 … 64, which takes minutes.
std::vector<std::size_t> sizes() {
  if (std::getenv("GOSSAMER_EVERY_SIZE") == nullptr) return {2, 3, 5, 8, 16, 33, 64};
  std::vector<std::size_t> all(63);
  std::iota(all.begin(), all.end(), std::size_t{2});
  return all;
}

/// What these come to is measured: another time it may be another graph.
bool is_measured(const std::string& spec) {
  return spec.starts_with("auto") || spec.ends_with("measured");
}

void check_topology(const std::string& spec, std::size_t size) {
  if (is_measured(spec)) return;
  INFO(spec, " with ", size, " ranks, seed ", kSeed);
  const Topology topology = graph(spec, size, {"auto", 3});
  const Deeds deeds =
      deeds_of(topology, "seed=3 topology=" + spec, std::max<std::uint64_t>(1, kRounds / topology.period()));
  check_sums_and_connections(topology, deeds);
  check_pace(topology, deeds);
}

}  // namespace

TEST_CASE("products of rings, up to 64 ranks: sums, the pace of mixing, connections") {
  for (const std::size_t size : sizes()) {
    for (const std::string& spec : specs_for(size)) check_topology(spec, size);
  }
}

TEST_CASE("gossip graphs, up to 64 ranks: sums, the pace of mixing, connections") {
  for (const std::size_t size : sizes()) {
    for (const std::string& spec : graph_specs_for(size)) check_topology(spec, size);
  }
}

TEST_CASE("graphs of finite time have the mean after a period, for every number of ranks up to 64") {
  for (std::size_t size = 2; size <= 64; ++size) {
    for (const std::string& spec : graph_specs_for(size)) {
      const Topology topology = graph(spec, size);
      if (!is_exact_after_a_period(topology) || spec == "base:k=2" || spec == "base:k=4") continue;
      INFO(spec, " with ", size, " ranks, seed ", kSeed);
      check_pace(topology, deeds_of(topology, "topology=" + spec, 1));
    }
  }
}

TEST_CASE("64 ranks of an exponential graph have at most 12 connections each") {
  const Topology topology = graph("exponential", 64);
  const Deeds deeds = deeds_of(topology, "topology=exponential", 0);
  for (const std::vector<int>& ranks : deeds.connections) CHECK(ranks.size() == 11);  // 32 ahead is 32 behind
}

TEST_CASE("push-sum, up to 64 ranks: the mean, as fast as the powers of the matrix say, where columns alone sum to 1") {
  for (const std::size_t size : {3, 5, 8, 27, 64}) {
    for (const std::string spec : {"star", "barbell", "path", "grid", "exponential"}) {
      INFO(spec, " with ", size, " ranks, seed ", kSeed);
      const Topology topology = graph(spec, size, {"out-uniform", 0});
      const std::uint64_t rounds = 60;
      const Deeds deeds = deeds_of(topology, "mixing=push-sum weights=out-uniform topology=" + spec, rounds);
      const Eigen::MatrixXd start = dense(deeds.models.front());
      Eigen::MatrixXd power = Eigen::MatrixXd::Identity(start.rows(), start.rows());
      for (std::uint64_t t = 0; t < rounds; ++t) power = dense(mixing_matrix(topology)) * power;
      const Eigen::VectorXd weights = power.rowwise().sum();
      const Eigen::Map<const Eigen::VectorXd> got(deeds.weights.data(), start.rows());
      CHECK((got - weights).cwiseAbs().maxCoeff() <= 1e-11);
      CHECK(std::abs(got.sum() - static_cast<double>(size)) <= 1e-11);
      // Of masses y: ‖y_t − w_t mean‖ <= ‖A^t (I − J/n)‖ ‖y_0 − mean‖, since A^t J/n y_0 is w_t mean.
      const Eigen::MatrixXd models = dense(deeds.models.back());
      const Eigen::MatrixXd off = got.asDiagonal() * (models.rowwise() - start.colwise().mean());
      const double sigma =
          spectral_norm(power - weights * Eigen::RowVectorXd::Constant(start.rows(), 1.0 / static_cast<double>(size)));
      CHECK(off.norm() <= sigma * spread(start) * (1 + 1e-9) + 1e-11);
    }
  }
}

}  // namespace gossamer::test
