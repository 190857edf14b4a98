// thc: the rotation against its definition, the table against dynamic programming, errors against the normal integral.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <numbers>

#include "compress/hadamard.hpp"
#include "compress/thc_table.hpp"
#include "tests/codec_cases.hpp"

namespace gossamer {
namespace {

double double_of(float value) {
  return static_cast<double>(value);
}

double density(double x) {
  return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
}

double distribution(double x) {
  return std::erfc(-x / std::numbers::sqrt2) / 2;
}

/// ∫ (b − x)(x − a) φ(x) dx from a to b: what rounding without bias between a and b loses.
double rounding_loss(double a, double b) {
  const double zeroth = distribution(b) - distribution(a);
  const double first = density(a) - density(b);
  const double second = zeroth + a * density(a) - b * density(b);
  return (a + b) * first - a * b * zeroth - second;
}

/// 2 ∫ (x − t)² φ(x) dx from t on: what clipping at ±t loses.
double clipping_loss(double t) {
  return 2 * ((1 + t * t) * (1 - distribution(t)) - t * density(t));
}

double table_loss(std::span<const std::uint8_t> table) {
  const auto place = [&](std::size_t i) { return (2.0 * table[i] / table.back() - 1) * thc::kClip; };
  double loss = 0;
  for (std::size_t i = 0; i + 1 < table.size(); ++i) loss += rounding_loss(place(i), place(i + 1));
  return loss;
}

/// The least loss of any `values` of the integers 0 … top, both ends among them.
double least_loss(std::size_t values, std::size_t top) {
  const auto place = [&](std::size_t i) {
    return (2.0 * static_cast<double>(i) / static_cast<double>(top) - 1) * thc::kClip;
  };
  std::vector<double> least(top + 1, 1e9);
  least[0] = 0;
  for (std::size_t used = 1; used < values; ++used) {
    std::vector<double> next(top + 1, 1e9);
    for (std::size_t to = 1; to <= top; ++to) {
      for (std::size_t from = 0; from < to; ++from) {
        next[to] = std::min(next[to], least[from] + rounding_loss(place(from), place(to)));
      }
    }
    least = next;
  }
  return least[top];
}

TEST_CASE("thc: the tables lose as little as any, of a normal value clipped where 1/32 lie beyond") {
  CHECK(2 * (1 - distribution(thc::kClip)) == doctest::Approx(1.0 / 32).epsilon(1e-9));
  for (const unsigned bits : {2U, 3U, 4U}) {
    const std::span<const std::uint8_t> table = thc::table_of(bits);
    INFO(bits, " bits");
    CHECK(table.size() == std::size_t{1} << bits);
    CHECK(table.back() == 2 * (table.size() - 1));
    CHECK(table_loss(table) == doctest::Approx(least_loss(table.size(), table.back())).epsilon(1e-9));
  }
}

TEST_CASE("hadamard: entry (i, j) is the parity of the bits that i and j share") {
  for (std::size_t size = 1; size <= 512; size *= 2) {
    const std::vector<float> values = make_input("normal", size, 31);
    std::vector<float> transformed = values;
    hadamard(transformed);
    double worst = 0;
    for (std::size_t i = 0; i < size; ++i) {
      double expected = 0;
      for (std::size_t j = 0; j < size; ++j)
        expected += (std::popcount(i & j) % 2 == 0 ? 1 : -1) * double_of(values[j]);
      worst = std::max(worst, std::abs(expected - double_of(transformed[i])));
    }
    INFO(size, " values, seed 31");
    CHECK(worst < 1e-5 * std::sqrt(static_cast<double>(size)));
  }
}

TEST_CASE("hadamard: twice is the size, exactly for integers") {
  for (std::size_t size = 1; size <= 4096; size *= 2) {
    std::vector<float> values(size);
    for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(static_cast<int>(i * 7 % 31) - 15);
    std::vector<float> twice = values;
    hadamard(twice);
    CHECK(std::ranges::all_of(twice, [](float x) { return x == std::round(x); }));
    hadamard(twice);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < size; ++i) wrong += twice[i] == static_cast<float>(size) * values[i] ? 0 : 1;
    INFO(size, " values");
    CHECK(wrong == 0);
  }
}

TEST_CASE("hadamard: after random signs no value is far beyond √(2 ln d / d) of the length") {
  constexpr std::size_t kSize = 4096;
  // Hoeffding: one of d values exceeds √(2 ln(2d/δ)/d) with probability δ at most.
  const double allowed = std::sqrt(2 * std::log(2.0 * kSize / 1e-6) / kSize);
  for (const std::string_view pattern : {"normal", "constant", "one value", "wide range"}) {
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      std::vector<float> values = make_input(pattern, kSize, seed);
      const double length = bounds::block_norm(values, false);
      std::vector<std::uint32_t> words(kSize / 32);
      std::mt19937 random(1000 + seed);
      for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
      std::vector<float> flipped = values;
      flip_signs(flipped, words.data());
      for (std::size_t i = 0; i < kSize; ++i) {
        const bool flip = (words[i / 32] >> (i % 32) & 1) != 0;
        if (flipped[i] != (flip ? -values[i] : values[i])) FAIL_CHECK("sign of element ", i);
      }
      hadamard(flipped);
      INFO("input '", std::string(pattern), "', seeds ", seed, " and ", 1000 + seed);
      CHECK(bounds::block_norm(flipped, true) / std::sqrt(kSize) <= allowed * length);
    }
  }
}

TEST_CASE("thc: of normal values, rounding and clipping lose what the normal integral says") {
  constexpr std::size_t kSize = 4096;
  for (const unsigned bits : {2U, 3U, 4U}) {
    double lost = 0;
    double squares = 0;
    for (std::uint32_t seed = 0; seed < 40; ++seed) {
      Subject subject(sentence("thc:bits=", bits), make_input("normal", kSize, seed), seed);
      const std::vector<float> decoded = subject.decode(subject.encode(), kSize);
      for (std::size_t i = 0; i < kSize; ++i) {
        lost += std::pow(double_of(decoded[i]) - double_of(subject.values()[i]), 2);
        squares += std::pow(double_of(subject.values()[i]), 2);
      }
    }
    const double expected = table_loss(thc::table_of(bits)) + clipping_loss(thc::kClip);
    INFO(bits, " bits lose ", lost / squares, " of the squared length, expected ", expected);
    // 163840 squared errors whose deviation is below three times their mean: 4.5 of them are 3.4 %.
    CHECK(lost / squares == doctest::Approx(expected).epsilon(0.034));
  }
}

TEST_CASE("thc: unbiased where nothing is clipped") {
  constexpr std::uint32_t kDraws = 4000;
  // One value becomes ± one deviation in every place.
  Subject subject("thc", make_input("one value", 256, 1));
  std::vector<double> mean(256, 0.0);
  std::vector<double> squares(256, 0.0);
  for (std::uint32_t call = 0; call < kDraws; ++call) {
    subject.begin(0, call);
    const std::vector<float> decoded = subject.decode(subject.encode(), 256);
    for (std::size_t i = 0; i < 256; ++i) {
      const double error = double_of(decoded[i]) - double_of(subject.values()[i]);
      mean[i] += error / kDraws;
      squares[i] += error * error / kDraws;
    }
  }
  double worst = 0;
  for (std::size_t i = 0; i < 256; ++i) worst = std::max(worst, std::abs(mean[i]) / std::sqrt(squares[i] / kDraws));
  CHECK(worst < 5.0);  // 256 tests: one false alarm in 6000 seeds
}

TEST_CASE("thc: a payload has the key of its signs, and tails are filled up to a power of two") {
  Subject subject("thc", make_input("normal", 9000, 2));
  const std::vector<std::byte> payload = subject.encode();
  const std::vector<float> decoded = subject.decode(payload, 9000);
  subject.begin(5, 77);
  CHECK(subject.decode(payload, 9000) == decoded);
  // Header, key, three scales; 4096 + 4096 + 808, the last filled up to 1024; five bits for 0 … 30.
  CHECK(payload.size() == 20 + 12 + 3 * 4 + (4096 + 4096 + 1024) * 5 / 8);
  const std::vector<float> part = subject.decode(subject.encode(4096, 4096), 4096);
  const std::vector<float> whole = subject.decode(subject.encode(), 9000);
  CHECK(std::equal(part.begin(), part.end(), whole.begin() + 4096));
  for (const std::string spec : {"thc:bits=1", "thc:bits=5"}) {
    CHECK_THROWS_WITH_AS(make_codec(spec, Shape{DType::float32, {64}}), doctest::Contains("bits"), Error);
  }
}

TEST_CASE("thc: payloads under different signs do not add") {
  Subject subject("thc", make_input("normal", 500, 3));
  const std::vector<std::byte> first = subject.encode();
  subject.begin(0, 2);
  CHECK_THROWS_AS(static_cast<void>(subject.merge(first, subject.encode())), Error);
}

}  // namespace
}  // namespace gossamer
