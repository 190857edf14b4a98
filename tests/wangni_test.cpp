#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "compress/proportional.hpp"
#include "compress/sparse_payload.hpp"
#include "tests/codec_cases.hpp"
#include "tests/every_target.hpp"

/// Values kept with probability p = min(1, |x| / t), enlarged by 1/p: unbiased, with the variance and the number of
/// entries that theory gives.
namespace gossamer {
namespace {

/// The t whose probabilities sum to `budget`, by bisection.
double exact_threshold(std::span<const float> values, double budget) {
  double low = 0.0;
  double high = 1e9;
  for (int i = 0; i < 200; ++i) {
    const double t = (low + high) / 2;
    double sum = 0.0;
    for (const float value : values) sum += std::min(1.0, std::abs(static_cast<double>(value)) / t);
    (sum > budget ? low : high) = t;
  }
  return high;
}

}  // namespace

TEST_CASE("wangni is unbiased, has the variance of its probabilities and keeps its budget on average") {
  constexpr std::size_t kCount = 500;
  constexpr int kDraws = 4000;
  for (const double ratio : {0.05, 0.3}) {
    INFO("ratio ", ratio, ", seed 41, calls 1 to ", kDraws);
    const std::vector<float> values = make_input("normal", kCount, 41);
    Subject wangni(sentence("wangni:ratio=", ratio), values);
    std::vector<double> sum(kCount);
    double squares = 0.0;
    double entries = 0.0;
    for (std::uint32_t draw = 1; draw <= kDraws; ++draw) {
      wangni.begin(0, draw);
      const std::vector<float> decoded = wangni.decode(wangni.encode(), kCount);
      for (std::size_t i = 0; i < kCount; ++i) {
        sum[i] += decoded[i];
        squares += std::pow(static_cast<double>(decoded[i]) - values[i], 2);
        entries += decoded[i] != 0.0F;
      }
    }
    const double t = exact_threshold(values, ratio * kCount);
    double variance = 0.0;
    double worst = 0.0;
    double spread = 0.0;  // of the number of entries
    for (std::size_t i = 0; i < kCount; ++i) {
      const double x = std::abs(static_cast<double>(values[i]));
      const double p = std::min(1.0, x / t);
      const double of_one = x * x * (1 / p - 1);
      variance += of_one;
      spread += p * (1 - p);
      // Only where the mean of the draws is close to normal.
      if (p * kDraws < 30) continue;
      worst = std::max(worst, std::abs(sum[i] / kDraws - values[i]) / (std::sqrt(of_one / kDraws) + 1e-5));
    }
    CHECK(worst < 5.0);
    // Two rescaling passes stop a little short of the budget where many values saturate.
    CHECK(squares / kDraws == doctest::Approx(variance).epsilon(0.02));
    CHECK(std::abs(entries / kDraws - ratio * kCount) < 4.5 * std::sqrt(spread / kDraws) + 0.002 * kCount * ratio);
  }
}

TEST_CASE("wangni keeps large values for certain and as they are") {
  std::vector<float> values = make_input("normal", 10000, 42);
  values[17] = -1e6F;
  values[9000] = 2e6F;
  for (std::uint32_t draw = 1; draw <= 50; ++draw) {
    Subject wangni("wangni:ratio=0.01", values);
    wangni.begin(3, draw);
    const std::vector<float> decoded = wangni.decode(wangni.encode(), values.size());
    CHECK(decoded[17] == -1e6F);
    CHECK(decoded[9000] == 2e6F);
    // The two took one entry each of the hundred; the others have not been starved by their sum.
    const auto others = std::count_if(decoded.begin(), decoded.end(), [](float x) { return x != 0.0F; });
    CHECK(others > 40);
  }
}

TEST_CASE("wangni's randomness belongs to elements and ranks, not to how the tensor is cut") {
  const std::vector<float> values = make_input("normal", 5000, 43);
  Subject wangni("wangni:ratio=0.1", values);
  const std::vector<float> whole = wangni.decode(wangni.encode(), values.size());
  std::vector<float> parts;
  for (std::size_t at = 0; at < values.size(); at += 1234) {
    const std::size_t count = std::min<std::size_t>(1234, values.size() - at);
    const std::vector<float> part = wangni.decode(wangni.encode(at, count), count);
    parts.insert(parts.end(), part.begin(), part.end());
  }
  CHECK(parts == whole);
  Subject other("wangni:ratio=0.1", values, 1);
  CHECK(other.decode(other.encode(), values.size()) != whole);
}

TEST_CASE("wangni refuses options out of range") {
  for (const char* spec : {"wangni:ratio=0", "wangni:ratio=1.1", "wangni:values=int8", "wangni:values=sign"}) {
    INFO(std::string(spec));
    CHECK_THROWS_AS(make_codec(spec, Shape{DType::float32, {100}}), Error);
  }
  CHECK_FALSE(make_codec("wangni", Shape{DType::float32, {100}}).error_feedback);
}

TEST_CASE("proportional kernels: what goes, and sums below a bound, equal the scalar twins") {
  on_every_target([] {
    for (const std::string_view pattern : kPatterns) {
      for (const std::size_t count : {0, 1, 63, 64, 5003}) {
        const std::vector<float> values = make_input(pattern, count, 44);
        for (const float bound : {0.0F, 1e-3F, 1.0F, 30.0F, std::numeric_limits<float>::infinity()}) {
          INFO("input '", std::string(pattern), "' of ", count, " values, bound ", bound, ", seed 44");
          const RandomStream own{45, 1, 1};
          std::vector<std::uint32_t> indices;
          std::vector<float> kept;
          std::array<double, 8> sums{};
          std::size_t reaching = 0;
          for (std::size_t i = 0; i < count; ++i) {
            const float size = std::abs(values[i]);
            sums[i < count / 8 * 8 ? i % 8 : 0] += size < bound ? static_cast<double>(size) : 0.0;
            reaching += size >= bound ? 1 : 0;
            if (!kernels::goes(size, bound, upper_bits(own, 7 + i) << 24 | lower_bits(own, 7 + i, 24))) continue;
            indices.push_back(static_cast<std::uint32_t>(i));
            kept.push_back(std::copysign(std::max(size, bound), values[i]));
          }
          SparseVector picked;
          std::vector<float> copy = values;
          append_proportional({reinterpret_cast<std::byte*>(copy.data()), count, 7}, bound, own, picked);
          CHECK(std::ranges::equal(picked.indices(), indices));
          CHECK(std::ranges::equal(picked.values(), kept));
          const kernels::Split split = kernels::split_at(values, bound);
          CHECK(split.sum == std::accumulate(sums.begin(), sums.end(), 0.0));
          CHECK(split.reaching == reaching);
        }
      }
    }
  });
}

}  // namespace gossamer
