#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/low_rank_ranks.hpp"

// PowerSGD with more iterations per call, with half of one, and with a dense exchange now and then.
using namespace gossamer;
using namespace gossamer::test;

namespace {

constexpr std::size_t kRows = 48;
constexpr std::size_t kCols = 70;

/// ‖tail‖ / ‖all‖: the relative error of the best approximation of that rank.
double best_error(const Eigen::VectorXd& spectrum, Eigen::Index rank) {
  return spectrum.tail(spectrum.size() - rank).norm() / spectrum.norm();
}

}  // namespace

TEST_CASE("iterations: two calls of one are one call of two, as long as the matrix stays") {
  const Values input = as_values(with_spectrum(kRows, kCols, geometric_spectrum(40, 0.8), 61));
  for (const int iterations : {2, 3}) {
    CAPTURE(iterations);
    Ranks plain(1, "powersgd:rank=3", matrix_shape(kRows, kCols));
    Ranks group(1, "powersgd:rank=3,iterations=" + std::to_string(iterations), matrix_shape(kRows, kCols));
    Values last;
    for (int i = 0; i < iterations; ++i) last = plain.sum({input});
    CHECK(relative_error(group.sum({input}), as_matrix(last, kRows, kCols)) <= 1e-5);
    CHECK(group.sent() == static_cast<std::size_t>(iterations) * plain.sent());
  }
}

TEST_CASE("iterations: the first call's error falls towards that of the best approximation") {
  // Each iteration brings the subspace closer by the square of the gap between its singular values and the next: 0.09.
  const Eigen::VectorXd spectrum = geometric_spectrum(40, 0.3);
  const Eigen::MatrixXd matrix = with_spectrum(kRows, kCols, spectrum, 62);
  const double best = best_error(spectrum, 3);
  double before = 1;
  for (const int iterations : {1, 2, 3}) {
    CAPTURE(iterations);
    Ranks group(2, "powersgd:rank=3,iterations=" + std::to_string(iterations), matrix_shape(kRows, kCols));
    const double error = relative_error(group.sum({as_values(matrix), as_values(matrix)}), 2 * matrix);
    CHECK(error < before);
    CHECK(error >= best * (1 - 1e-5));
    // What is beyond the best falls by more than half each time: from a drawn subspace, already the first time.
    if (iterations > 1) CHECK(error - best <= (before - best) / 2);
    before = error;
  }
}

TEST_CASE("half: calls take turns at the factors, send one each, and converge to the best approximation") {
  const Eigen::VectorXd spectrum = geometric_spectrum(40, 0.6);
  const Eigen::MatrixXd matrix = with_spectrum(kRows, kCols, spectrum, 63);
  Ranks group(2, "powersgd:rank=3,half=on", matrix_shape(kRows, kCols));
  Ranks plain(2, "powersgd:rank=3", matrix_shape(kRows, kCols));
  const std::vector<Values> inputs(2, as_values(matrix));
  double error = 1;
  for (int call = 0; call < 24; ++call) {
    const Values result = group.sum(inputs);
    CHECK(group.sent() == 3 * (call % 2 == 0 ? kRows : kCols));
    const double now = relative_error(result, 2 * matrix);
    // A step of subspace iteration on a matrix that stays never increases the error.
    CHECK(now <= error * (1 + 1e-5));
    error = now;
    // The two halves of an iteration end where the whole one does.
    if (call % 2 == 1) CHECK(relative_error(result, as_matrix(plain.sum(inputs), kRows, kCols)) <= 1e-4);
  }
  CHECK(error <= 1.001 * best_error(spectrum, 3));
}

TEST_CASE("half: equals the centralised computation in float64, call after call") {
  std::vector<Values> inputs;
  Eigen::MatrixXd total = Eigen::MatrixXd::Zero(kRows, kCols);
  for (std::uint64_t rank = 0; rank < 3; ++rank) {
    inputs.push_back(as_values(with_spectrum(kRows, kCols, geometric_spectrum(20, 0.7), 640 + rank)));
    total += as_matrix(inputs.back(), kRows, kCols);
  }
  Ranks group(3, "powersgd:rank=4,half=on", matrix_shape(kRows, kCols));
  Eigen::MatrixXd agreed = as_matrix(group.sum(inputs), kRows, kCols);
  for (int call = 1; call < 4; ++call) {
    // The columns (rows) of what was agreed span the factor that the next call starts from.
    const Eigen::MatrixXd spanned = call % 2 == 1 ? agreed : Eigen::MatrixXd(agreed.transpose());
    const Eigen::MatrixXd basis = singular_triplets(spanned).left.leftCols(4);
    const Eigen::MatrixXd expected = call % 2 == 1 ? Eigen::MatrixXd(basis * (basis.transpose() * total))
                                                   : Eigen::MatrixXd(total * basis * basis.transpose());
    const Values result = group.sum(inputs);
    CHECK(relative_error(result, expected) <= 1e-5);
    agreed = as_matrix(result, kRows, kCols);
  }
}

TEST_CASE("a subspace that the dominant direction is orthogonal to: PowerSGD never sees it, plus does") {
  // The rank-1 factor comes to rest on the second direction; then the gradient turns to (1, 0.1) diagonal. Error
  // feedback piles up the first direction, which is orthogonal to Q, for ever.
  constexpr std::size_t kSide = 8;
  const auto diagonal = [](float first, float second) {
    Values values(kSide * kSide, 0.0F);
    values[0] = first;
    values[kSide + 1] = second;
    return values;
  };
  const auto residual_after = [&](const std::string& spec, int calls) {
    Ranks group(1, spec, matrix_shape(kSide, kSide));
    group.sum({diagonal(0, 1)});
    group.sum({diagonal(0, 1)});
    Values residual(kSide * kSide, 0.0F);
    for (int call = 0; call < calls; ++call) {
      Values input = diagonal(1, 0.1F);
      for (std::size_t i = 0; i < input.size(); ++i) input[i] += residual[i];
      const Values result = group.sum({input});
      for (std::size_t i = 0; i < input.size(); ++i) residual[i] = input[i] - result[i];
    }
    return as_matrix(residual, kSide, kSide).norm();
  };
  CHECK(residual_after("powersgd:rank=1", 50) == doctest::Approx(50).epsilon(1e-4));
  CHECK(residual_after("powersgd:rank=1,half=on", 50) == doctest::Approx(50).epsilon(1e-4));
  CHECK(residual_after("powersgd:rank=1,plus=5", 50) < 2);
}

TEST_CASE("plus: a dense call gives the sum itself, and its subspace is that of the largest singular values") {
  const Eigen::VectorXd spectrum = geometric_spectrum(40, 0.7);
  const Eigen::MatrixXd matrix = with_spectrum(kRows, kCols, spectrum, 65);
  Ranks group(2, "powersgd:rank=3,plus=4", matrix_shape(kRows, kCols));
  const std::vector<Values> inputs(2, as_values(matrix));
  for (int call = 0; call < 9; ++call) {
    CAPTURE(call);
    const double error = relative_error(group.sum(inputs), 2 * matrix);
    if (call % 4 == 0) {
      CHECK(error <= 1e-6);
      CHECK(group.sent() == kRows * kCols);
    } else {
      CHECK(error <= 1.001 * best_error(spectrum, 3));
      CHECK(error >= 0.999 * best_error(spectrum, 3));
      CHECK(group.sent() == 3 * (kRows + kCols));
    }
  }
}

TEST_CASE("plus: the turn of dense calls is saved with the subspace") {
  const Shape shape = matrix_shape(kRows, kCols);
  for (const std::string spec : {"powersgd:rank=2,plus=3", "powersgd:rank=2,plus=3,half=on"}) {
    CAPTURE(spec);
    Ranks original(2, spec, shape);
    const auto inputs = [&](std::uint64_t seed) {
      return std::vector<Values>{random_values(shape.count(), seed), random_values(shape.count(), seed + 100)};
    };
    for (std::uint64_t call = 0; call < 2; ++call) original.sum(inputs(call));
    Ranks restored(2, spec, shape);
    for (std::size_t rank = 0; rank < 2; ++rank) {
      std::copy_n(original[rank].state().begin(), original[rank].state().size(), restored[rank].state().begin());
    }
    restored.continue_after(original);
    for (std::uint64_t call = 2; call < 9; ++call) {
      CHECK(same_bits(original.sum(inputs(call)), restored.sum(inputs(call))));
      CHECK(original.sent() == restored.sent());
    }
  }
}

TEST_CASE("under heterogeneous shards single residuals grow with the calls while their sum stays bounded") {
  const auto norms_after = [](const std::string& spec, int calls) {
    constexpr int kRanks = 2;
    Ranks group(kRanks, spec, matrix_shape(kRows, kCols));
    std::vector<Values> residuals(kRanks, Values(kRows * kCols, 0.0F));
    for (int call = 0; call < calls; ++call) {
      std::vector<Values> inputs = residuals;
      for (std::uint64_t rank = 0; rank < kRanks; ++rank) {
        // The ranks differ by ± a constant matrix, which the mean does not have.
        const Values common = random_values(kRows * kCols, 700 + static_cast<std::uint64_t>(call));
        const Values apart = random_values(kRows * kCols, 699);
        for (std::size_t i = 0; i < common.size(); ++i) {
          inputs[rank][i] += 0.01F * common[i] + (rank == 0 ? apart[i] : -apart[i]);
        }
      }
      const Values result = group.sum(inputs);
      for (std::size_t rank = 0; rank < kRanks; ++rank) {
        for (std::size_t i = 0; i < result.size(); ++i) residuals[rank][i] = inputs[rank][i] - result[i] / kRanks;
      }
    }
    const Eigen::MatrixXd first = as_matrix(residuals[0], kRows, kCols);
    return std::pair{first.norm(), (first + as_matrix(residuals[1], kRows, kCols)).norm()};
  };
  const auto [single_20, sum_20] = norms_after("powersgd:rank=4", 20);
  const auto [single_80, sum_80] = norms_after("powersgd:rank=4", 80);
  CHECK(single_80 > 3.5 * single_20);
  CHECK(sum_80 < 0.02 * single_80);
  CHECK(sum_80 < 4 * sum_20);
}

TEST_CASE("options that contradict each other are refused with words") {
  const auto sentence_of = [](const std::string& spec) -> std::string {
    try {
      make_codec(spec, matrix_shape(kRows, kCols));
    } catch (const Error& error) {
      CHECK(error.status() == Status::argument);
      return error.what();
    }
    return "accepted";
  };
  CHECK(sentence_of("powersgd:iterations=0").find("iterations=0") != std::string::npos);
  CHECK(sentence_of("powersgd:iterations=4").find("iterations=4") != std::string::npos);
  CHECK(sentence_of("powersgd:plus=-1").find("plus=-1") != std::string::npos);
  CHECK(sentence_of("powersgd:half=maybe").find("half=maybe") != std::string::npos);
  CHECK(sentence_of("powersgd:half=on,iterations=2").find("half=on") != std::string::npos);
  CHECK(sentence_of("powersgd:half=on,start=fresh").find("start=fresh") != std::string::npos);
  CHECK(sentence_of("powersgd:plus=2,start=fresh").find("start=fresh") != std::string::npos);
}
