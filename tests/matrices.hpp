#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Matrices in float64 that results are compared with. What takes Eigen long to compile is in matrices.cpp.
namespace gossamer::test {

using Values = std::vector<float>;

/// Of a normal distribution.
Values random_values(std::size_t count, std::uint64_t seed);

/// Rows one after another, as tensors have them.
Eigen::MatrixXd as_matrix(const Values& values, std::size_t rows, std::size_t cols);
Values as_values(const Eigen::MatrixXd& matrix);
/// A codec's state as columns of `length` values.
Eigen::MatrixXd columns_of(std::span<const float> state, std::size_t length);

/// A random matrix with the given singular values.
Eigen::MatrixXd with_spectrum(std::size_t rows, std::size_t cols, const Eigen::VectorXd& singular, std::uint64_t seed);
/// 1, ratio, ratio², …
Eigen::VectorXd geometric_spectrum(Eigen::Index count, double ratio);

/// Of the space that the columns span.
Eigen::MatrixXd orthonormal_basis(const Eigen::MatrixXd& columns);
Eigen::MatrixXd inverse(const Eigen::MatrixXd& matrix);

/// matrix = left · diag(values) · rightᵀ, values descending.
struct SingularTriplets {
  Eigen::MatrixXd left;
  Eigen::VectorXd values;
  Eigen::MatrixXd right;
};
SingularTriplets singular_triplets(const Eigen::MatrixXd& matrix);

/// In the Frobenius norm.
double relative_error(const Values& got, const Eigen::MatrixXd& exact);

}  // namespace gossamer::test
