#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "compress/atoms.hpp"
#include "tests/codec_cases.hpp"
#include "tests/low_rank_ranks.hpp"

// atomo: unbiased, of the variance that its probabilities promise, and free of the defects of earlier implementations.
namespace gossamer {
namespace {

using test::all_finite;
using test::as_matrix;
using test::as_values;
using test::geometric_spectrum;
using test::singular_triplets;
using test::with_spectrum;

/// Σ over elements of the mean and of the mean square error of `draws` decodings.
struct Draws {
  std::vector<double> mean;
  double square_error = 0;  // of one draw, summed over the elements
};

Draws draw_many(const std::string& spec, const std::vector<float>& values, int draws) {
  Subject subject(spec, values);
  Draws result{std::vector<double>(values.size(), 0.0)};
  for (int draw = 0; draw < draws; ++draw) {
    subject.begin(0, static_cast<std::uint32_t>(draw));
    const std::vector<float> decoded = subject.decode(subject.encode(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double error = static_cast<double>(decoded[i]) - static_cast<double>(values[i]);
      result.mean[i] += static_cast<double>(decoded[i]) / draws;
      result.square_error += error * error / draws;
    }
  }
  return result;
}

/// The encoder's payload has to decode to factors of the matrix's own singular vectors.
Shape matrix(std::size_t rows, std::size_t cols) {
  return {DType::float32, {rows, cols}};
}

std::vector<float> encode_matrix(const std::string& spec, std::vector<float> values, const Shape& shape,
                                 std::uint32_t call) {
  const CodecChoice choice = make_codec(spec, shape);
  auto& codec = dynamic_cast<Codec&>(*choice.codec);
  StepContext context;
  context.own = {42, call, 1};
  codec.begin(chunk_of(values), context);
  std::vector<std::byte> slot(codec.max_payload(values.size()));
  const Bytes payload = codec.encode(chunk_of(values), slot);
  std::vector<float> decoded(values.size(), 0.0F);
  codec.accumulate(payload, 1, chunk_of(decoded));
  return decoded;
}

TEST_CASE("atomo: b solves the budget anew when atoms are certain, instead of clipping") {
  // Clipping min(1, 2 · w / 14) sends 10/14 + 4 · 1/7 < 2 atoms on average.
  const std::vector<float> weights = {10, -1, 1, 1, -1};
  const double bound = certain_weight(std::span<const float>(weights), 2.0);
  CHECK(bound == doctest::Approx(4.0));  // one certain, four of 1/4
  // A second becomes certain only once the first is.
  const std::vector<float> chain = {100, 10, 1, 1, 1};
  CHECK(certain_weight(std::span<const float>(chain), 3.0) == doctest::Approx(3.0));
  CHECK(certain_weight(std::span<const float>(chain), 5.0) == 0.0);
  CHECK(certain_weight(std::span<const float>(chain), 7.0) == 0.0);
  CHECK(certain_weight(std::span<const float>(), 1.0) == 0.0);
  const std::vector<float> zeros(4, 0.0F);
  CHECK(certain_weight(std::span<const float>(zeros), 2.0) == 0.0);
}

TEST_CASE("atomo: the probabilities add up to the budget for weights of any spread") {
  for (const double spread : {0.0, 0.5, 2.0, 8.0}) {
    for (const double budget : {1.0, 3.5, 20.0, 49.0}) {
      INFO("spread ", spread, ", budget ", budget, ", seed 3");
      std::mt19937 random(3);
      std::normal_distribution<double> normal;
      std::vector<double> weights(50);
      for (double& weight : weights) weight = std::exp(spread * normal(random));
      const double bound = certain_weight(std::span<const double>(weights), budget);
      double sum = 0;
      for (const double weight : weights) sum += std::min(1.0, weight / bound);
      CHECK(sum == doctest::Approx(budget).epsilon(1e-9));
    }
  }
}

TEST_CASE("atomo: entries are unbiased and have the variance of their probabilities") {
  constexpr int kDraws = 4000;
  constexpr std::size_t kCount = 40;
  for (const char* pattern : {"normal", "constant", "one value"}) {
    INFO(pattern, ", seed 5");
    const std::vector<float> values = make_input(pattern, kCount, 5);
    std::vector<double> weights;
    for (const float value : values) weights.push_back(std::abs(static_cast<double>(value)));
    const double bound = bounds::atom_bound(weights, 0.1 * kCount);
    const Draws draws = draw_many("atomo:budget=0.1", values, kDraws);
    double variance = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
      // x/p with probability p: variance x² (1/p − 1), which is |x| (b − |x|).
      const double own = weights[i] < bound ? weights[i] * (bound - weights[i]) : 0.0;
      variance += own;
      const double z = (draws.mean[i] - static_cast<double>(values[i])) / std::sqrt(own / kDraws + 1e-12);
      CHECK(std::abs(z) < 4.7);  // 40 elements, 3 patterns: one in 3000 runs if seeds were drawn
    }
    CHECK(draws.square_error == doctest::Approx(variance).epsilon(0.1));
  }
}

TEST_CASE("atomo: no atoms is a payload too; nothing is drawn again until one comes") {
  // Of one expected atom of 20 equal ones, none comes with probability 0.95^20 = 0.358.
  const std::vector<float> values(20, 1.0F);
  Subject subject("atomo:budget=0.05", values);
  constexpr int kDraws = 4000;
  int empty = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    subject.begin(0, static_cast<std::uint32_t>(draw));
    const std::vector<float> decoded = subject.decode(subject.encode(), values.size());
    empty += std::all_of(decoded.begin(), decoded.end(), [](float x) { return x == 0.0F; }) ? 1 : 0;
  }
  const double expected = std::pow(0.95, 20);
  CHECK(std::abs(empty / double{kDraws} - expected) < 4.5 * std::sqrt(expected * (1 - expected) / kDraws));
}

TEST_CASE("atomo: ranks draw independently of each other") {
  const std::vector<float> values(2000, 1.0F);
  const std::vector<float> first =
      Subject("atomo:budget=0.5", values, 0).decode(Subject("atomo:budget=0.5", values, 0).encode(), values.size());
  const std::vector<float> second =
      Subject("atomo:budget=0.5", values, 1).decode(Subject("atomo:budget=0.5", values, 1).encode(), values.size());
  double both = 0;
  for (std::size_t i = 0; i < values.size(); ++i) both += first[i] != 0.0F && second[i] != 0.0F ? 1 : 0;
  CHECK(std::abs(both / 2000 - 0.25) < 0.05);
}

TEST_CASE("atomo: a draw that no float could carry goes as it is") {
  const std::vector<float> values(100, 1e38F);
  CHECK(Subject("atomo:budget=0.05", values).decode(Subject("atomo:budget=0.05", values).encode(), 100) == values);
  std::vector<float> rows(64 * 64, 1e37F);
  CHECK(all_finite(encode_matrix("atomo:budget=0.05,basis=svd", rows, matrix(64, 64), 1)));
}

TEST_CASE("atomo: what comes back of a block is its singular triplets, each dropped or divided by its probability") {
  constexpr std::size_t kRows = 20;
  constexpr std::size_t kCols = 90;
  const Eigen::MatrixXd block = with_spectrum(kRows, kCols, geometric_spectrum(20, 0.7), 111);
  const auto [left, singular, right] = singular_triplets(block);
  const double budget = 0.2 * 20;
  const double bound = bounds::atom_bound({singular.begin(), singular.end()}, budget);
  double sent = 0;
  for (std::uint32_t call = 0; call < 50; ++call) {
    const auto decoded = as_matrix(
        encode_matrix("atomo:budget=0.2,basis=svd", as_values(block), matrix(kRows, kCols), call), kRows, kCols);
    for (Eigen::Index k = 0; k < 20; ++k) {
      const Eigen::RowVectorXd whole = left.col(k).transpose() * block;
      const Eigen::RowVectorXd back = left.col(k).transpose() * decoded;
      const double p = std::min(1.0, singular[k] / bound);
      const double dropped = back.norm();
      const double kept = (back - whole / p).norm();
      CHECK(std::min(dropped, kept) <= 1e-4);
      sent += kept <= 1e-4 ? 1 : 0;
    }
  }
  // Σ p = 4 per call, of variance at most 4.
  CHECK(std::abs(sent / 50 - budget) < 4.5 * std::sqrt(budget / 50));
}

TEST_CASE("atomo: triplets are unbiased, also where so many are drawn that values are shorter than factors") {
  constexpr int kDraws = 3000;
  constexpr std::size_t kSide = 8;
  std::vector<float> values = as_values(with_spectrum(kSide, kSide, geometric_spectrum(8, 0.8), 112));
  const Eigen::VectorXd singular = geometric_spectrum(8, 0.8);
  const double bound = bounds::atom_bound({singular.begin(), singular.end()}, 0.5 * kSide);
  double variance = 0;
  for (const double sigma : singular) variance += sigma < bound ? sigma * (bound - sigma) : 0;
  std::vector<double> mean(values.size(), 0.0);
  double square_error = 0;
  for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
    const std::vector<float> decoded = encode_matrix("atomo:budget=0.5,basis=svd", values, matrix(kSide, kSide), draw);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double error = static_cast<double>(decoded[i]) - static_cast<double>(values[i]);
      mean[i] += error / kDraws;
      square_error += error * error / kDraws;
    }
  }
  double bias = 0;
  for (const double error : mean) bias += error * error;
  // Were it unbiased, kDraws · ‖mean error‖² had the expectation `variance`, and as many degrees of freedom as matter.
  CHECK(bias * kDraws < 3 * variance);
  CHECK(square_error == doctest::Approx(variance).epsilon(0.1));
}

TEST_CASE("atomo: the whole budget is exact up to rounding") {
  const std::vector<float> values = make_input("normal", 70 * 50, 6);
  Subject entries("atomo:budget=1", values);
  CHECK(entries.decode(entries.encode(), values.size()) == values);
  const auto decoded = as_matrix(encode_matrix("atomo:budget=1,basis=svd", values, matrix(70, 50), 1), 70, 50);
  CHECK((decoded - as_matrix(values, 70, 50)).norm() <= 1e-5 * decoded.norm());
}

TEST_CASE("atomo: options out of range are refused with words; a vector has rows of 64") {
  for (const std::string option : {"budget=0", "budget=1.5", "budget=-1", "basis=pca"}) {
    CAPTURE(option);
    try {
      make_codec("atomo:" + option, matrix(20, 20));
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::argument);
      CHECK(std::string(error.what()).find(option) != std::string::npos);
    }
  }
  const CodecChoice choice = make_codec("atomo:basis=svd", Shape{DType::float32, {1000}});
  CHECK(dynamic_cast<const Grained&>(*choice.codec).grain() == 64);
  CHECK_FALSE(choice.error_feedback);
}

}  // namespace
}  // namespace gossamer
