#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/low_rank_ranks.hpp"

using namespace gossamer;
using namespace gossamer::test;

TEST_CASE("the sum is what one rank holding the whole sum would approximate, in float64") {
  for (const int ranks : {1, 2, 3, 8}) {
    for (const std::size_t rank : {1, 2, 4, 7}) {
      INFO(ranks, " ranks, rank ", rank);
      const std::size_t rows = 30;
      const std::size_t cols = 70;
      std::vector<Values> inputs;
      Eigen::MatrixXd total = Eigen::MatrixXd::Zero(rows, cols);
      for (int i = 0; i < ranks; ++i) {
        inputs.push_back(as_values(with_spectrum(rows, cols, geometric_spectrum(20, 0.7), 10 * i + 1)));
        total += as_matrix(inputs.back(), rows, cols);
      }
      Ranks group(ranks, "powersgd:rank=" + std::to_string(rank), matrix_shape(rows, cols));
      group.sum(inputs);
      const Eigen::MatrixXd q = columns_of(group[0].state(), cols);
      const Eigen::MatrixXd basis = orthonormal_basis(total * q);
      CHECK(relative_error(group.sum(inputs), basis * (basis.transpose() * total)) <= 1e-5);
    }
  }
}

TEST_CASE("calls on a fixed matrix converge to the best approximation of that rank, and only with a warm start (B1)") {
  const std::size_t rows = 64;
  const std::size_t cols = 90;
  const Eigen::VectorXd spectrum = geometric_spectrum(64, 0.6);
  const Eigen::MatrixXd matrix = with_spectrum(rows, cols, spectrum, 3);
  const std::vector<Values> input = {as_values(matrix)};
  for (const int rank : {1, 2, 4}) {
    CAPTURE(rank);
    const double best = spectrum.tail(64 - rank).norm() / spectrum.norm();
    Ranks warm(1, "powersgd:rank=" + std::to_string(rank), matrix_shape(rows, cols));
    Ranks fresh(1, "powersgd:start=fresh,rank=" + std::to_string(rank), matrix_shape(rows, cols));
    double warm_error = 0;
    double fresh_error = 0;
    for (int call = 0; call < 5; ++call) {
      warm_error = relative_error(warm.sum(input), matrix);
      fresh_error = relative_error(fresh.sum(input), matrix);
      CHECK(warm_error <= 1 + 1e-6);
      CHECK(warm_error >= best * (1 - 1e-5));
    }
    CHECK(warm_error <= 1.05 * best);
    CHECK(fresh_error > warm_error);
  }
}

TEST_CASE("a zero gradient gives zero and does not end the approximation of later ones (B2)") {
  const std::size_t rows = 20;
  const std::size_t cols = 45;
  const Eigen::MatrixXd matrix = with_spectrum(rows, cols, geometric_spectrum(4, 0.5), 5);
  Ranks group(2, "powersgd:rank=4", matrix_shape(rows, cols));
  const std::vector<Values> zero(2, Values(rows * cols, 0.0F));
  const std::vector<Values> nonzero(2, as_values(matrix));
  for (int round = 0; round < 2; ++round) {
    CHECK(group.sum(zero) == Values(rows * cols, 0.0F));
    CHECK(group.sum(zero) == Values(rows * cols, 0.0F));
    CHECK(relative_error(group.sum(nonzero), 2 * matrix) <= 1e-5);
  }
}

TEST_CASE("a matrix of lower rank is exact, and so is a matrix of full rank after it (B2)") {
  const std::size_t rows = 33;
  const std::size_t cols = 21;
  Ranks group(2, "powersgd:rank=4", matrix_shape(rows, cols));
  for (const Eigen::Index actual : {1, 2, 3, 4, 1, 4}) {
    CAPTURE(actual);
    const Eigen::MatrixXd matrix = with_spectrum(rows, cols, geometric_spectrum(actual, 0.6), 7 + actual);
    for (int call = 0; call < 3; ++call) {
      CHECK(relative_error(group.sum({as_values(matrix), as_values(matrix)}), 2 * matrix) <= 1e-5);
    }
  }
}

TEST_CASE("rank equal to the smaller side is exact") {
  for (const auto& [rows, cols] :
       {std::pair<std::size_t, std::size_t>{5, 9}, {9, 5}, {1, 40}, {40, 1}, {1, 1}, {16, 16}}) {
    INFO(rows, " x ", cols);
    const Values input = random_values(rows * cols, rows);
    Ranks group(1, "powersgd:rank=" + std::to_string(std::min(rows, cols)), matrix_shape(rows, cols));
    CHECK(relative_error(group.sum({input}), as_matrix(input, rows, cols)) <= 1e-5);
  }
}

TEST_CASE("scaling the input by a power of two scales the result, up to the ends of the float range") {
  const std::size_t rows = 24;
  const std::size_t cols = 50;
  const Values input = random_values(rows * cols, 9);
  Ranks plain(1, "powersgd:rank=3", matrix_shape(rows, cols));
  const Values reference = plain.sum({input});
  for (const int exponent : {100, 120, -60, -100, -130}) {
    CAPTURE(exponent);
    Values scaled = input;
    for (float& value : scaled) value = std::ldexp(value, exponent);
    Ranks group(1, "powersgd:rank=3", matrix_shape(rows, cols));
    Values result = group.sum({scaled});
    CHECK(all_finite(result));
    for (float& value : result) value = std::ldexp(value, -exponent);
    // Below 2^-100 products become denormal and keep fewer digits.
    CHECK(relative_error(result, as_matrix(reference, rows, cols)) <= (exponent < -100 ? 1e-3 : 1e-6));
  }
}

TEST_CASE("nothing overflows as long as the sum of the Frobenius norms is a float") {
  const std::size_t side = 16;
  const float largest = std::numeric_limits<float>::max() / 16 / 2 * 0.999F;
  Ranks group(2, "powersgd:rank=2", matrix_shape(side, side));
  for (int call = 0; call < 3; ++call) {
    const Values result = group.sum({Values(side * side, largest), Values(side * side, largest)});
    CHECK(all_finite(result));
    CHECK(std::abs(result[7] / largest - 2) <= 1e-5);
  }
}

TEST_CASE("a NaN or an infinity does not outlive its call (B2)") {
  const Eigen::MatrixXd matrix = with_spectrum(12, 18, geometric_spectrum(2, 0.5), 21);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    CAPTURE(bad);
    Ranks group(2, "powersgd:rank=2", matrix_shape(12, 18));
    Values poisoned = as_values(matrix);
    poisoned[17] = bad;
    CHECK_FALSE(all_finite(group.sum({poisoned, as_values(matrix)})));
    CHECK(relative_error(group.sum({as_values(matrix), as_values(matrix)}), 2 * matrix) <= 1e-5);
  }
}

TEST_CASE("any split into ranges, in any order, gives the bits of one call and reads nothing but the tensor") {
  struct Case {
    std::size_t rows, cols, rank;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Case& shape : {Case{37, 53, 1}, Case{37, 53, 3}, Case{20, 129, 8}, Case{15, 40, 13}, Case{2100, 33, 4},
                            Case{17, 9001, 16}, Case{4, 70001, 3}}) {
    INFO(shape.rows, " x ", shape.cols, ", rank ", shape.rank);
    Values guarded(shape.rows * shape.cols + 32, nan);
    const Values values = random_values(shape.rows * shape.cols, 31);
    std::copy(values.begin(), values.end(), guarded.begin() + 16);
    const std::unique_ptr<LinearCodec> codec =
        make_linear("powersgd:rank=" + std::to_string(shape.rank), matrix_shape(shape.rows, shape.cols));
    codec->begin({reinterpret_cast<std::byte*>(guarded.data() + 16), values.size(), 0}, StepContext{});
    std::mt19937_64 engine(shape.cols);
    const auto check_split = [&](std::size_t count, const auto& ask) {
      Values whole(count, nan);
      ask(0, std::span(whole));
      CHECK(all_finite(whole));
      std::vector<std::size_t> cuts = {0, count};
      for (int i = 0; i < 9; ++i) cuts.push_back(engine() % (count + 1));
      std::sort(cuts.begin(), cuts.end());
      std::vector<std::size_t> order(cuts.size() - 1);
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::shuffle(order.begin(), order.end(), engine);
      Values split(count, nan);
      for (const std::size_t i : order) ask(cuts[i], std::span(split).subspan(cuts[i], cuts[i + 1] - cuts[i]));
      CHECK(same_bits(whole, split));
      return whole;
    };
    for (int round = 0; round < 2; ++round) {
      codec->absorb(round, check_split(codec->round_count(round), [&](std::size_t offset, std::span<float> out) {
                      codec->project(round, offset, out);
                    }));
    }
    check_split(values.size(), [&](std::size_t offset, std::span<float> out) { codec->reconstruct(offset, out); });
  }
}

TEST_CASE("a saved state continues bit for bit; reset is the state of a new codec") {
  const Shape shape{DType::float32, {12, 5, 7}};
  const std::string spec = "powersgd:rank=3";
  Ranks original(2, spec, shape);
  const auto inputs = [&](std::uint64_t seed) {
    return std::vector<Values>{random_values(shape.count(), seed), random_values(shape.count(), seed + 100)};
  };
  const Values first = original.sum(inputs(1));
  original.sum(inputs(2));
  Ranks restored(2, spec, shape);
  for (std::size_t rank = 0; rank < 2; ++rank) {
    std::copy_n(original[rank].state().begin(), original[rank].state().size(), restored[rank].state().begin());
  }
  restored.continue_after(original);
  for (std::uint64_t call = 3; call < 6; ++call)
    CHECK(same_bits(original.sum(inputs(call)), restored.sum(inputs(call))));

  for (std::size_t rank = 0; rank < 2; ++rank) original[rank].reset();
  original.continue_after(Ranks(2, spec, shape));
  CHECK(same_bits(original.sum(inputs(1)), first));
}

TEST_CASE("with error feedback, what was not sent is kept: results and residuals add up to the inputs") {
  const int ranks = 3;
  const std::size_t rows = 25;
  const std::size_t cols = 40;
  for (const std::string wire : {"fp32", "bf16"}) {
    Ranks group(ranks, "powersgd:rank=2,wire=" + wire, matrix_shape(rows, cols));
    std::vector<Values> residuals(ranks, Values(rows * cols, 0.0F));
    Eigen::MatrixXd sent = Eigen::MatrixXd::Zero(rows, cols);
    Eigen::MatrixXd given = sent;
    for (std::uint64_t call = 0; call < 12; ++call) {
      std::vector<Values> inputs = residuals;
      for (std::size_t rank = 0; rank < inputs.size(); ++rank) {
        const Values gradient = random_values(rows * cols, 50 * call + rank);
        given += as_matrix(gradient, rows, cols);
        for (std::size_t i = 0; i < gradient.size(); ++i) inputs[rank][i] += gradient[i];
      }
      const Values result = group.sum(inputs);
      sent += as_matrix(result, rows, cols);
      for (std::size_t rank = 0; rank < inputs.size(); ++rank) {
        for (std::size_t i = 0; i < result.size(); ++i) residuals[rank][i] = inputs[rank][i] - result[i] / ranks;
      }
    }
    Eigen::MatrixXd kept = Eigen::MatrixXd::Zero(rows, cols);
    for (const Values& residual : residuals) kept += as_matrix(residual, rows, cols);
    CHECK((sent + kept - given).norm() <= 1e-5 * given.norm());
    CHECK(sent.norm() > 0.1 * given.norm());
  }
}
