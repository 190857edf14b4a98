#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/low_rank_ranks.hpp"

// gradzip: alternating least squares, against float64 and against PowerSGD.
using namespace gossamer;
using namespace gossamer::test;

namespace {

constexpr std::size_t kRows = 40;
constexpr std::size_t kCols = 60;

Eigen::MatrixXd unit_columns(Eigen::MatrixXd matrix) {
  matrix.colwise().normalize();
  return matrix;
}

/// Fᵀ F + λ I, inverted.
Eigen::MatrixXd ridge_inverse(const Eigen::MatrixXd& factor, double lambda) {
  const Eigen::Index rank = factor.cols();
  return inverse(factor.transpose() * factor + lambda * Eigen::MatrixXd::Identity(rank, rank));
}

}  // namespace

TEST_CASE("gradzip: the sum is what one rank holding the whole sum would compute, in float64") {
  for (const int ranks : {1, 2, 5}) {
    for (const double lambda : {1e-4, 0.1, 1.0}) {
      INFO(ranks, " ranks, lambda ", lambda);
      std::vector<Values> inputs;
      Eigen::MatrixXd total = Eigen::MatrixXd::Zero(kRows, kCols);
      for (std::uint64_t rank = 0; rank < static_cast<std::uint64_t>(ranks); ++rank) {
        inputs.push_back(as_values(with_spectrum(kRows, kCols, geometric_spectrum(20, 0.7), 80 + 10 * rank)));
        total += as_matrix(inputs.back(), kRows, kCols);
      }
      Ranks group(ranks, "gradzip:rank=3,lambda=" + std::to_string(lambda), matrix_shape(kRows, kCols));
      group.sum(inputs);
      const Eigen::MatrixXd q = unit_columns(columns_of(group[0].state(), kCols));
      const Eigen::MatrixXd p = unit_columns(total * q * ridge_inverse(q, lambda));
      const Eigen::MatrixXd expected = p * (total.transpose() * p * ridge_inverse(p, lambda)).transpose();
      CHECK(relative_error(group.sum(inputs), expected) <= 1e-5);
      CHECK(group.sent() == 3 * (kRows + kCols));
    }
  }
}

TEST_CASE("gradzip: with next to no ridge it is PowerSGD up to normalisation") {
  Ranks zip(2, "gradzip:rank=3,lambda=1e-9", matrix_shape(kRows, kCols));
  Ranks power(2, "powersgd:rank=3", matrix_shape(kRows, kCols));
  for (std::uint64_t call = 0; call < 4; ++call) {
    const std::vector<Values> inputs = {
        as_values(with_spectrum(kRows, kCols, geometric_spectrum(20, 0.8), 90 + call)),
        as_values(with_spectrum(kRows, kCols, geometric_spectrum(20, 0.8), 190 + call))};
    CHECK(relative_error(zip.sum(inputs), as_matrix(power.sum(inputs), kRows, kCols)) <= 1e-4);
  }
}

TEST_CASE("gradzip: calls on a matrix that stays converge to the best approximation, less what the ridge takes") {
  const Eigen::VectorXd spectrum = geometric_spectrum(30, 0.6);
  const Eigen::MatrixXd matrix = with_spectrum(kRows, kCols, spectrum, 91);
  const double best = spectrum.tail(27).norm() / spectrum.norm();
  Ranks group(1, "gradzip:rank=3,lambda=1e-6", matrix_shape(kRows, kCols));
  double error = 1;
  for (int call = 0; call < 20; ++call) error = relative_error(group.sum({as_values(matrix)}), matrix);
  CHECK(error >= best * (1 - 1e-5));
  CHECK(error <= best * 1.01);
}

TEST_CASE("gradzip: zeros, dependent columns and a lower rank divide by nothing (B2)") {
  // A ridge takes most of what nearly dependent columns have apart; this one is small.
  Ranks group(2, "gradzip:rank=4,lambda=1e-6", matrix_shape(kRows, kCols));
  const std::vector<Values> zero(2, Values(kRows * kCols, 0.0F));
  CHECK(group.sum(zero) == zero[0]);
  CHECK(group.sum(zero) == zero[0]);
  for (const Eigen::Index actual : {1, 2, 4}) {
    const Eigen::MatrixXd matrix = with_spectrum(kRows, kCols, geometric_spectrum(actual, 0.6), 92);
    double error = 1;
    for (int call = 0; call < 8; ++call) error = relative_error(group.sum({as_values(matrix), zero[0]}), matrix);
    CHECK(error <= 0.01);
  }
}

TEST_CASE("gradzip: scaling the input scales the result") {
  const Values input = random_values(kRows * kCols, 93);
  Ranks plain(1, "gradzip:rank=3", matrix_shape(kRows, kCols));
  const Values reference = plain.sum({input});
  for (const int exponent : {80, 110, -60, -100}) {
    CAPTURE(exponent);
    Values scaled = input;
    for (float& value : scaled) value = std::ldexp(value, exponent);
    Ranks group(1, "gradzip:rank=3", matrix_shape(kRows, kCols));
    Values result = group.sum({scaled});
    for (float& value : result) value = std::ldexp(value, -exponent);
    CHECK(relative_error(result, as_matrix(reference, kRows, kCols)) <= 1e-5);
  }
}

TEST_CASE("gradzip: options out of range are refused with words") {
  for (const std::string option : {"lambda=0", "lambda=2", "lambda=-1", "lambda=x", "rank=0", "rank=41", "wire=fp8"}) {
    CAPTURE(option);
    try {
      make_codec("gradzip:" + option, matrix_shape(kRows, kCols));
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::argument);
      CHECK(std::string(error.what()).find(option) != std::string::npos);
    }
  }
}
