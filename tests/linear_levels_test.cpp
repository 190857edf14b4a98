// Codecs that round to levels of a shared norm: qsgd, int8:reduce=integer, lpc, natural_dithering. Against float64 and
// the papers' formulas.
#include <doctest/doctest.h>

#include <cmath>

#include "compress/linear_levels.hpp"
#include "tests/codec_cases.hpp"

namespace gossamer {
namespace {

using Payload = std::vector<std::byte>;

double double_of(float value) {
  return static_cast<double>(value);
}

/// Many draws of one input: each value's mean, and the mean and standard error of ‖Q(x) − x‖².
struct Draws {
  std::vector<double> mean;
  double error = 0.0;
  double standard_error = 0.0;
};

Draws draw(Subject& subject, std::uint32_t count) {
  const std::vector<float>& values = subject.values();
  Draws draws{std::vector<double>(values.size(), 0.0), 0.0, 0.0};
  double squares = 0.0;
  for (std::uint32_t call = 0; call < count; ++call) {
    subject.begin(0, call);
    const std::vector<float> decoded = subject.decode(subject.encode(), values.size());
    double error = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      draws.mean[i] += double_of(decoded[i]) / count;
      error += std::pow(double_of(decoded[i]) - double_of(values[i]), 2);
    }
    draws.error += error / count;
    squares += error * error / count;
  }
  draws.standard_error = std::sqrt(std::max(0.0, squares - draws.error * draws.error) / count);
  return draws;
}

/// Every value is rounded to one of two neighbours: variance (x − below)(above − x).
struct Neighbours {
  double below;
  double above;
};

/// Neighbours among the multiples of `step`.
auto multiples_of(double step) {
  return [step](double x) { return Neighbours{std::floor(x / step) * step, (std::floor(x / step) + 1) * step}; };
}

/// Neighbours among 0 and the powers of two times `step`.
auto powers_times(double step) {
  return [step](double x) {
    const double size = std::abs(x) / step;
    const double below = size < 1 ? 0.0 : std::exp2(std::floor(std::log2(size)));
    const double above = size < 1 ? 1.0 : 2 * below;
    return x < 0 ? Neighbours{-above * step, -below * step} : Neighbours{below * step, above * step};
  };
}

/// Unbiased value by value, and as scattered as two neighbours are; returns the variance.
template <typename Around>
double check_unbiased(Subject& subject, const Around& around) {
  constexpr std::uint32_t kDraws = 20000;
  const Draws draws = draw(subject, kDraws);
  double expected = 0.0;
  double worst = 0.0;
  for (std::size_t i = 0; i < draws.mean.size(); ++i) {
    const double value = double_of(subject.values()[i]);
    const Neighbours two = around(value);
    const double variance = std::max(0.0, (value - two.below) * (two.above - value));
    expected += variance;
    // A value on a level may lie beside it by float rounding.
    const double deviation = std::sqrt(variance / kDraws) + 1e-6 * std::abs(value) + 1e-30;
    worst = std::max(worst, std::abs(draws.mean[i] - value) / deviation);
  }
  // At most 64 tests at 4.5 deviations: one false alarm in 2000 seeds; these are fixed.
  CHECK(worst < 4.5);
  INFO("mean squared error ", draws.error, " ± ", draws.standard_error, ", formula ", expected);
  CHECK(std::abs(draws.error - expected) < 4.5 * draws.standard_error + 1e-6 * expected);
  return expected;
}

double norm_of_all(const std::vector<float>& values, bool largest) {
  return bounds::block_norm(values, largest);
}

/// How often element 3 of `values` comes back as 0, 1, … steps, under a plan that no spec names.
std::vector<double> shares(const LevelPlan& plan, std::vector<float> values, double step) {
  constexpr std::uint32_t kDraws = 20000;
  const auto made = make_linear_levels(plan, values.size());
  auto& codec = dynamic_cast<Codec&>(*made);
  Payload slot(codec.max_payload(values.size()));
  std::vector<double> share(plan.levels + 1, 0.0);
  for (std::uint32_t call = 0; call < kDraws; ++call) {
    StepContext context;
    context.own = {7, call, 1};
    codec.begin(chunk_of(values), context);
    std::vector<float> out(values.size(), 0.0F);
    codec.accumulate(codec.encode(chunk_of(values), slot), 1.0F, chunk_of(out));
    share[static_cast<std::size_t>(std::lround(std::abs(double_of(out[3])) / step))] += 1.0 / kDraws;
  }
  return share;
}

TEST_CASE("qsgd: the example of four levels, whose 2.22 becomes a quarter of the norm with probability 0.2336") {
  const std::vector<float> g = {-3.39F, 1.78F, 10.87F, -2.22F, 10.9F, 1.12F, -32.1F, 12.5F};
  CHECK(double_of(norm_of(Norm::l2, g)) == doctest::Approx(38.0062).epsilon(1e-5));
  LevelPlan plan;
  plan.name = "qsgd.3";
  plan.codec = "qsgd";
  plan.levels = plan.below = 4;
  plan.norm = Norm::l2;
  const std::vector<double> share = shares(plan, g, 38.0062 / 4);
  const double deviation = std::sqrt(0.2336 * 0.7664 / 20000);
  CHECK(std::abs(share[1] - 0.2336) < 4.5 * deviation);
  CHECK(std::abs(share[0] - 0.7664) < 4.5 * deviation);
  CHECK(share[0] + share[1] == doctest::Approx(1.0));
}

TEST_CASE("qsgd: unbiased, and within min(d/s², √d/s) of the squared norm (B8: not the inverted probability)") {
  for (const int bits : {2, 3, 4, 8}) {
    for (const bool largest : {true, false}) {
      const std::string spec = sentence("qsgd:bucket=0,bits=", bits, ",norm=", largest ? "max" : "l2");
      INFO(spec, ", seed 3");
      Subject subject(spec, make_input("normal", 64, 3));
      const double levels = std::exp2(bits - 1) - 1;
      const double variance = check_unbiased(subject, multiples_of(norm_of_all(subject.values(), largest) / levels));
      const double length = norm_of_all(subject.values(), false);
      CHECK(variance <= std::min(64 / (levels * levels), 8 / levels) * length * length);
    }
  }
}

TEST_CASE("qsgd: at 127 levels the largest values stay the largest, whatever their size") {
  for (const float size : {1e-44F, 1e-39F, 0.1F, 3.3F, 1e30F, 3.4e38F}) {
    std::vector<float> values(1000, size);
    for (std::size_t i = 0; i < values.size(); i += 2) values[i] = -size;
    Subject subject("qsgd:bits=8,bucket=0", values);
    for (std::size_t i = 0; const float value : subject.decode(subject.encode(), values.size())) {
      CHECK(std::isfinite(value));
      CHECK(std::abs(value - values[i]) <= std::abs(values[i]) / 127 + 2e-45F);
      CHECK((value < 0) == (values[i] < 0));
      ++i;
    }
  }
}

TEST_CASE("integer sums: buckets of one scale are places in the tensor, wherever a chunk begins") {
  Subject subject("qsgd:bits=8,bucket=100", make_input("wide range", 1000, 9));
  const std::vector<float> whole = subject.decode(subject.encode(), 1000);
  for (const std::size_t offset : {std::size_t{1}, std::size_t{99}, std::size_t{100}, std::size_t{450}}) {
    const std::vector<float> part = subject.decode(subject.encode(offset, 333), 333);
    CHECK(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(offset)));
  }
}

TEST_CASE("integer sums: a sum of t contributions takes ceil(log2(2ts + 1)) bits, and is exactly the sum of codes") {
  struct Case {
    std::string spec;
    unsigned levels;
  };
  for (const Case& one : {Case{"qsgd:bits=2,bucket=0", 1}, Case{"qsgd:bits=4,bucket=0", 7},
                          Case{"int8:reduce=integer,block=6400", 127}, Case{"natural_dithering:bucket=0", 8}}) {
    constexpr std::size_t kCount = 6400;
    std::vector<Subject> ranks;
    for (std::uint32_t rank = 0; rank < 9; ++rank) {
      ranks.emplace_back(one.spec, make_input("normal", kCount, 60 + rank), rank);
    }
    share_maxima(ranks);
    Payload sum = ranks[0].encode();
    std::vector<double> total(kCount, 0.0);
    for (unsigned t = 1; t <= 9; ++t) {
      const Payload mine = ranks[t - 1].encode();
      if (t > 1) sum = ranks[0].merge(sum, mine);
      INFO(one.spec, " of ", t, " ranks");
      unsigned width = 0;
      while ((1U << width) < 2 * t * one.levels + 1) ++width;
      CHECK(sum.size() == 24 + kCount / 8 * width);
      const std::vector<float> decoded = ranks[t - 1].decode(mine, kCount);
      for (std::size_t i = 0; i < kCount; ++i) total[i] += double_of(decoded[i]);
    }
    // Codes are integers below 2^12, so the sum of decoded values is off by their roundings only.
    const double largest = double_of(dynamic_cast<SharedMaxima&>(ranks[0].codec()).maxima()[0]);
    const std::vector<float> decoded = ranks[0].decode(sum, kCount);
    double worst = 0.0;
    for (std::size_t i = 0; i < kCount; ++i) worst = std::max(worst, std::abs(double_of(decoded[i]) - total[i]));
    CHECK(worst <= 18 * largest * 0x1p-24);
  }
}

TEST_CASE("int8: hops re-encode or add codes, and either rounding works with the latter") {
  const Shape shape{DType::float32, {64}};
  CHECK(dynamic_cast<MergeableCodec*>(make_codec("int8", shape).codec.get()) == nullptr);
  CHECK(dynamic_cast<MergeableCodec*>(make_codec("int8:reduce=integer", shape).codec.get()) != nullptr);
  Subject nearest("int8:reduce=integer,block=64", make_input("normal", 64, 5));
  Subject stochastic("int8:reduce=integer,block=64,rounding=stochastic", make_input("normal", 64, 5));
  check_unbiased(stochastic, multiples_of(norm_of_all(stochastic.values(), true) / 127));
  const Payload first = nearest.encode();
  nearest.begin(3, 9);
  CHECK(nearest.encode() == first);
}

TEST_CASE("lpc: unclipped it is qsgd with the largest value as norm, bit for bit") {
  for (const int bits : {2, 4, 8}) {
    const std::vector<float> values = make_input("normal", 5000, 6);
    Subject lattice(sentence("lpc:clip=1,bits=", bits), values);
    Subject levels(sentence("qsgd:bucket=0,bits=", bits), values);
    CHECK(lattice.decode(lattice.encode(), 5000) == levels.decode(levels.encode(), 5000));
  }
}

TEST_CASE("lpc: unbiased within the range, the error bounded by dδ²/4 and what clipping takes") {
  Subject subject("lpc:bits=3,clip=0.4", make_input("normal", 64, 7));
  const double largest = norm_of_all(subject.values(), true);
  const double step = 0.4 * largest / 3;
  const Draws draws = draw(subject, 20000);
  double allowed = 64 * step * step / 4;
  double worst = 0.0;
  std::size_t clipped = 0;
  for (std::size_t i = 0; i < 64; ++i) {
    const double value = double_of(subject.values()[i]);
    const double reachable = std::clamp(value, -4 * step, 3 * step);
    clipped += reachable == value ? 0 : 1;
    allowed += std::pow(value - reachable, 2);
    const Neighbours two = multiples_of(step)(reachable);
    const double variance = (reachable - two.below) * (two.above - reachable);
    const double deviation = std::sqrt(std::max(0.0, variance) / 20000) + 1e-6 * largest;
    worst = std::max(worst, std::abs(draws.mean[i] - reachable) / deviation);
  }
  CHECK(clipped > 3);
  CHECK(worst < 4.5);
  CHECK(draws.error <= allowed);
}

TEST_CASE("natural_dithering: unbiased, and within 1/8 + t·min(1, t) of the squared norm") {
  for (const int levels : {1, 3, 4, 7}) {
    for (const bool largest : {true, false}) {
      const std::string spec = sentence("natural_dithering:bucket=0,levels=", levels, ",norm=", largest ? "max" : "l2");
      INFO(spec, ", seed 8");
      Subject subject(spec, make_input("normal", 64, 8));
      const double least = norm_of_all(subject.values(), largest) / std::exp2(levels - 1);
      const double variance = check_unbiased(subject, powers_times(least));
      const double t = 8 * std::exp2(1 - levels);  // √d of 64 values
      const double length = norm_of_all(subject.values(), false);
      CHECK(variance <= (0.125 + t * std::min(1.0, t)) * length * length);
    }
  }
}

TEST_CASE("natural_dithering: what comes back is 0 or a power of two of the norm") {
  Subject subject("natural_dithering:bucket=0,levels=5", make_input("normal", 2000, 9));
  const double norm = norm_of_all(subject.values(), true);
  for (const float value : subject.decode(subject.encode(), 2000)) {
    if (value == 0.0F) continue;
    const double exponent = std::log2(std::abs(double_of(value)) / norm);
    CHECK(exponent == doctest::Approx(std::round(exponent)));
    CHECK(std::round(exponent) >= -4);
    CHECK(std::round(exponent) <= 0);
  }
}

TEST_CASE("levels: options out of range are refused with the key and the range") {
  const Shape shape{DType::float32, {64}};
  for (const std::string spec :
       {"qsgd:bits=1", "qsgd:bits=9", "qsgd:bucket=-1", "qsgd:norm=l1", "lpc:bits=9", "lpc:clip=0", "lpc:clip=1.01",
        "natural_dithering:levels=0", "natural_dithering:levels=8"}) {
    INFO(spec);
    const std::string key = spec.substr(spec.find(':') + 1, spec.find('=') - spec.find(':') - 1);
    CHECK_THROWS_WITH_AS(make_codec(spec, shape), doctest::Contains(key.c_str()), Error);
  }
}

}  // namespace
}  // namespace gossamer
