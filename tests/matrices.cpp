#include "tests/matrices.hpp"

#include <Eigen/Dense>
#include <cmath>
#include <random>

namespace gossamer::test {
namespace {

template <typename T>
using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

Values random_values(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<float> normal;
  Values values(count);
  for (float& value : values) value = normal(engine);
  return values;
}

Eigen::MatrixXd as_matrix(const Values& values, std::size_t rows, std::size_t cols) {
  using Map = Eigen::Map<const Rows<float>>;
  return Map(values.data(), static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)).cast<double>();
}

Values as_values(const Eigen::MatrixXd& matrix) {
  const Rows<double> rows = matrix;
  Values values(static_cast<std::size_t>(rows.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(rows.data()[i]);
  return values;
}

Eigen::MatrixXd columns_of(std::span<const float> state, std::size_t length) {
  return as_matrix(Values(state.begin(), state.end()), state.size() / length, length).transpose();
}

Eigen::MatrixXd with_spectrum(std::size_t rows, std::size_t cols, const Eigen::VectorXd& singular, std::uint64_t seed) {
  const auto count = static_cast<std::size_t>(singular.size());
  const Eigen::MatrixXd left = orthonormal_basis(as_matrix(random_values(rows * count, seed), rows, count));
  const Eigen::MatrixXd right = orthonormal_basis(as_matrix(random_values(cols * count, seed + 1), cols, count));
  return left * singular.asDiagonal() * right.transpose();
}

Eigen::VectorXd geometric_spectrum(Eigen::Index count, double ratio) {
  Eigen::VectorXd singular(count);
  for (Eigen::Index i = 0; i < count; ++i) singular[i] = std::pow(ratio, static_cast<double>(i));
  return singular;
}

Eigen::MatrixXd orthonormal_basis(const Eigen::MatrixXd& columns) {
  return Eigen::HouseholderQR<Eigen::MatrixXd>(columns).householderQ() *
         Eigen::MatrixXd::Identity(columns.rows(), columns.cols());
}

Eigen::MatrixXd inverse(const Eigen::MatrixXd& matrix) {
  return matrix.inverse();
}

SingularTriplets singular_triplets(const Eigen::MatrixXd& matrix) {
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return {svd.matrixU(), svd.singularValues(), svd.matrixV()};
}

double relative_error(const Values& got, const Eigen::MatrixXd& exact) {
  const Eigen::MatrixXd result =
      as_matrix(got, static_cast<std::size_t>(exact.rows()), static_cast<std::size_t>(exact.cols()));
  return (result - exact).norm() / exact.norm();
}

}  // namespace gossamer::test
