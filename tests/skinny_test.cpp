#include "compress/skinny.hpp"

#include <doctest/doctest.h>
#include <hwy/highway.h>

#include <Eigen/Dense>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "compress/orthonormal.hpp"

using namespace gossamer;

namespace {

std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(engine);
  return values;
}

/// Runs body(target) with every instruction set that this processor has, one of them at a time.
template <class Body>
void with_each_instruction_set(const Body& body) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::GetChosenTarget().Update(target);
    CAPTURE(hwy::TargetName(target));
    body(target);
  }
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

constexpr bool fuses_multiply_add(std::int64_t target) {
#if HWY_ARCH_X86
  return target <= HWY_AVX2;
#else
  return target != 0;
#endif
}

struct Case {
  std::size_t rows, cols, rank;
};

// Ranks of every grouping, rows and columns around the block sizes, more columns than one block of the factor.
const Case kCases[] = {{1, 1, 1},      {3, 5, 1},     {8, 16, 1},    {9, 17, 2},    {17, 33, 3},
                       {64, 147, 4},   {31, 100, 5},  {40, 47, 7},   {21, 255, 8},  {33, 65, 9},
                       {130, 200, 13}, {3, 70001, 3}, {5, 65553, 4}, {2, 270001, 1}};

/// A matrix and a factor for each side, amid NaN that any access outside them would spread.
struct Problem {
  explicit Problem(const Case& shape)
      : rows(shape.rows), cols(shape.cols), rank(shape.rank), stride(cols + 3), memory(kGuard + rows * stride, kNan) {
    const std::vector<float> values = random_floats(rows * cols, 1);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < cols; ++j) memory[kGuard + i * stride + j] = values[i * cols + j];
    }
    left = random_floats(rows * rank, 2);
    right = random_floats(cols * rank, 3);
  }
  [[nodiscard]] skinny::Matrix<const float> matrix() const { return {memory.data() + kGuard, rows, cols, stride}; }
  [[nodiscard]] double at(std::size_t i, std::size_t j) const { return memory[kGuard + i * stride + j]; }
  [[nodiscard]] skinny::Factor left_factor() const { return {left.data(), rank, rows}; }
  [[nodiscard]] skinny::Factor right_factor() const { return {right.data(), rank, cols}; }

  static constexpr std::size_t kGuard = 5;
  static constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::size_t rows, cols, rank, stride;
  std::vector<float> memory, left, right;
};

/// The largest |got − exact|, in units of 1e-5 of the standard deviation of a sum of `terms` products of normal values.
class WorstError {
 public:
  explicit WorstError(std::size_t terms) : unit_(1e-5 * std::sqrt(static_cast<double>(terms))) {}
  void add(double got, double exact) {
    const double error = std::abs(got - exact) / unit_;
    if (!(error <= worst_)) worst_ = error;
  }
  [[nodiscard]] double value() const { return worst_; }

 private:
  double unit_;
  double worst_ = 0;
};

}  // namespace

TEST_CASE("row projections are the float64 products and read nothing but the matrix") {
  for (const Case& shape : kCases) {
    INFO(shape.rows, " x ", shape.cols, ", rank ", shape.rank);
    const Problem problem(shape);
    with_each_instruction_set([&](std::int64_t) {
      std::vector<float> out(shape.rows * shape.rank);
      skinny::project_rows(problem.matrix(), problem.right_factor(), out.data());
      WorstError worst(shape.cols);
      for (std::size_t i = 0; i < shape.rows; ++i) {
        for (std::size_t k = 0; k < shape.rank; ++k) {
          double exact = 0;
          for (std::size_t j = 0; j < shape.cols; ++j) exact += problem.at(i, j) * problem.right[k * shape.cols + j];
          worst.add(out[i * shape.rank + k], exact);
        }
      }
      CHECK(worst.value() <= 1);
    });
  }
}

TEST_CASE("column projections are the float64 products and write nothing but the sums") {
  for (const Case& shape : kCases) {
    INFO(shape.rows, " x ", shape.cols, ", rank ", shape.rank);
    const Problem problem(shape);
    with_each_instruction_set([&](std::int64_t) {
      const std::size_t stride = shape.cols + 2;
      std::vector<float> sums(shape.rank * stride, -7.0F);
      skinny::project_columns(problem.matrix(), problem.left_factor(), {sums.data(), shape.rank, shape.cols, stride});
      WorstError worst(shape.rows);
      for (std::size_t k = 0; k < shape.rank; ++k) {
        for (std::size_t j = 0; j < shape.cols; ++j) {
          double exact = 0;
          for (std::size_t i = 0; i < shape.rows; ++i) exact += problem.at(i, j) * problem.left[k * shape.rows + i];
          worst.add(sums[k * stride + j], exact);
        }
        CHECK(sums[k * stride + shape.cols] == -7.0F);
        CHECK(sums[k * stride + shape.cols + 1] == -7.0F);
      }
      CHECK(worst.value() <= 1);
    });
  }
}

TEST_CASE("reconstruction is the float64 product, with the same bits wherever multiply-add is fused") {
  for (const Case& shape : kCases) {
    INFO(shape.rows, " x ", shape.cols, ", rank ", shape.rank);
    const Problem problem(shape);
    std::vector<float> fused;
    with_each_instruction_set([&](std::int64_t target) {
      const std::size_t stride = shape.cols + 1;
      std::vector<float> out(shape.rows * stride, -7.0F);
      skinny::reconstruct(problem.left_factor(), problem.right_factor(), {out.data(), shape.rows, shape.cols, stride});
      WorstError worst(shape.rank);
      for (std::size_t i = 0; i < shape.rows; ++i) {
        for (std::size_t j = 0; j < shape.cols; ++j) {
          double exact = 0;
          for (std::size_t k = 0; k < shape.rank; ++k) {
            exact += static_cast<double>(problem.left[k * shape.rows + i]) * problem.right[k * shape.cols + j];
          }
          worst.add(out[i * stride + j], exact);
        }
        CHECK(out[i * stride + shape.cols] == -7.0F);
      }
      CHECK(worst.value() <= 1);
      if (!fuses_multiply_add(target)) return;
      if (fused.empty()) fused = out;
      CHECK(std::memcmp(fused.data(), out.data(), out.size() * sizeof(float)) == 0);
    });
  }
}

namespace {

/// The largest entry of |V Vᵀ − I|; NaN counts as infinite.
double distance_from_orthonormal(const std::vector<float>& vectors, std::size_t length) {
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto count = static_cast<Eigen::Index>(vectors.size() / length);
  const Eigen::MatrixXd v =
      Eigen::Map<const Rows>(vectors.data(), count, static_cast<Eigen::Index>(length)).cast<double>();
  const double distance = (v * v.transpose() - Eigen::MatrixXd::Identity(count, count)).cwiseAbs().maxCoeff();
  return std::isnan(distance) ? std::numeric_limits<double>::infinity() : distance;
}

std::vector<float> orthonormalised(std::vector<float> vectors, std::size_t length, std::uint64_t seed = 5) {
  SharedDraws draws(RandomStream{seed, 1, 0}, 0);
  orthonormalise(vectors, length, draws);
  return vectors;
}

}  // namespace

TEST_CASE("whatever the vectors, the result is orthonormal to 1e-6") {
  const std::size_t length = 300;
  const std::size_t rank = 8;
  const std::vector<float> random = random_floats(rank * length, 11);
  std::vector<float> vectors = random;
  SUBCASE("independent") {}
  SUBCASE("square") {
    vectors = random_floats(20 * 20, 12);
  }
  SUBCASE("one number") {
    vectors = {-3.0F};
  }
  SUBCASE("all zero") {
    vectors.assign(rank * length, 0.0F);
  }
  SUBCASE("one zero") {
    std::fill_n(vectors.begin() + 2 * length, length, 0.0F);
  }
  SUBCASE("all equal") {
    for (std::size_t i = 0; i < vectors.size(); ++i) vectors[i] = random[i % length];
  }
  SUBCASE("huge") {
    for (float& value : vectors) value *= 5e37F;
  }
  SUBCASE("denormal") {
    for (float& value : vectors) value *= 1e-40F;
  }
  SUBCASE("NaN and infinite") {
    vectors[3] = std::numeric_limits<float>::quiet_NaN();
    vectors[length] = std::numeric_limits<float>::infinity();
  }
  const std::size_t actual = vectors.size() == 400 ? 20 : std::min(length, vectors.size());
  CHECK(distance_from_orthonormal(orthonormalised(vectors, actual), actual) <= 1e-6);
}

TEST_CASE("nearly dependent vectors become orthonormal to 1e-6 (B2)") {
  const std::size_t length = 300;
  for (const float distance : {1e-2F, 1e-4F, 1e-5F, 3e-6F, 1e-6F, 3e-7F, 1e-7F}) {
    CAPTURE(distance);
    std::vector<float> vectors = random_floats(8 * length, 12);
    for (std::size_t i = length; i < vectors.size(); ++i) vectors[i] = vectors[i % length] + distance * vectors[i];
    CHECK(distance_from_orthonormal(orthonormalised(vectors, length), length) <= 1e-6);
  }
}

TEST_CASE("independent vectors keep their span") {
  const std::size_t length = 40;
  const std::vector<float> vectors = random_floats(3 * length, 13);
  const std::vector<float> basis = orthonormalised(vectors, length);
  using Rows = Eigen::Matrix<float, 3, 40, Eigen::RowMajor>;
  const Eigen::MatrixXd v = Rows(vectors.data()).cast<double>();
  const Eigen::MatrixXd b = Rows(basis.data()).cast<double>();
  CHECK((v - v * b.transpose() * b).norm() <= 1e-5 * v.norm());
}

TEST_CASE("redrawn vectors depend on the stream and on nothing else") {
  const std::vector<float> zeros(4 * 50, 0.0F);
  CHECK(orthonormalised(zeros, 50, 5) == orthonormalised(zeros, 50, 5));
  CHECK(orthonormalised(zeros, 50, 5) != orthonormalised(zeros, 50, 6));
}

TEST_CASE("shared draws have mean 0 and variance 1") {
  std::vector<float> draws(100000);
  SharedDraws(RandomStream{9, 1, 0}, 0).fill(draws);
  double sum = 0;
  double squares = 0;
  for (const float draw : draws) {
    sum += draw;
    squares += static_cast<double>(draw) * draw;
  }
  const auto count = static_cast<double>(draws.size());
  CHECK(std::abs(sum / count) <= 5 / std::sqrt(count));
  CHECK(std::abs(squares / count - 1) <= 5 * std::sqrt(2 / count));
}
