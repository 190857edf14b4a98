// randomk and randomblock: which sets they draw, what they leave of a tensor, and whose residual is whose.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "compress/positions.hpp"
#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

RandomStream shared_stream(std::uint32_t call) {
  return {42, call, 0};
}

std::unique_ptr<TensorCodec> make(const std::string& spec, std::size_t count) {
  return make_codec(spec, Shape{DType::float32, {count}}).codec;
}

/// What a world of one rank gets back.
std::vector<float> call(TensorCodec& codec, std::vector<float>& values, std::uint32_t number) {
  auto& linear = dynamic_cast<LinearCodec&>(codec);
  StepContext context;
  context.shared = shared_stream(number);
  linear.begin(chunk_of(values), context);
  std::vector<float> vector(linear.round_count(0));
  linear.project(0, 0, vector);
  linear.absorb(0, vector);
  std::vector<float> out(values.size());
  linear.reconstruct(0, out);
  return out;
}

}  // namespace

TEST_CASE("random subsets: every set of k of d is as likely as any other") {
  // Half and less are drawn, of more than half the rest is.
  for (const std::size_t chosen : {1, 2, 3, 4, 5}) {
    constexpr int kDraws = 20000;
    std::map<std::vector<std::size_t>, int> seen;
    RandomSubset subset(6, chosen);
    for (std::uint32_t call = 0; call < kDraws; ++call) {
      subset.draw(shared_stream(call));
      ++seen[subset.elements()];
    }
    const std::size_t sets = chosen == 3 ? 20 : chosen == 2 || chosen == 4 ? 15 : 6;
    REQUIRE(seen.size() == sets);
    const double expected = kDraws / static_cast<double>(sets);
    double chi_squared = 0;
    for (const auto& [set, times] : seen) chi_squared += (times - expected) * (times - expected) / expected;
    INFO("k = ", chosen, ", seed 42");
    const auto freedom = static_cast<double>(sets - 1);
    CHECK(chi_squared < freedom + 5 * std::sqrt(2 * freedom));
  }
}

TEST_CASE("random subsets: ascending, distinct and within the tensor, beyond 2^24 too (B6)") {
  const std::size_t count = (std::size_t{1} << 25) + 12345;
  for (const std::size_t chosen : {std::size_t{1000}, count / 2 + 5000}) {
    RandomSubset subset(count, chosen);
    subset.draw(shared_stream(7));
    const std::vector<std::size_t>& elements = subset.elements();
    REQUIRE(elements.size() == chosen);
    std::size_t unordered = 0;
    std::size_t high = 0;
    std::size_t odd = 0;
    for (std::size_t i = 0; i < chosen; ++i) {
      unordered += i > 0 && elements[i] <= elements[i - 1] ? 1 : 0;
      high += elements[i] >= count / 2 ? 1 : 0;
      odd += elements[i] >= count / 2 && elements[i] % 2 == 1 ? 1 : 0;  // floats have no odd numbers there
    }
    CHECK(unordered == 0);
    CHECK(elements.back() < count);
    const auto half = static_cast<double>(chosen) / 2;
    CHECK(std::abs(static_cast<double>(high) - half) < 5 * std::sqrt(half / 2));
    CHECK(std::abs(static_cast<double>(odd) - half / 2) < 5 * std::sqrt(half / 2));
  }
}

TEST_CASE("random blocks: k neighbours that wrap, every start as likely as any other, slots and elements agree") {
  constexpr std::size_t kCount = 7;
  constexpr int kDraws = 7000;
  for (std::size_t chosen = 1; chosen <= kCount; ++chosen) {
    RandomBlock block(kCount, chosen);
    std::map<std::size_t, int> starts;
    for (std::uint32_t call = 0; call < kDraws; ++call) {
      block.draw(shared_stream(call));
      std::vector<std::size_t> element_of(chosen, kCount);
      block.for_slots(0, chosen, [&](std::size_t slot, std::size_t element, std::size_t length) {
        for (std::size_t i = 0; i < length; ++i) element_of[slot + i] = element + i;
      });
      ++starts[element_of[0]];
      for (std::size_t slot = 0; slot < chosen; ++slot) REQUIRE(element_of[slot] == (element_of[0] + slot) % kCount);
      if (call >= 50) continue;
      for (std::size_t from = 0; from < kCount; ++from) {
        std::size_t found = 0;
        block.for_elements(from, kCount - from, [&](std::size_t slot, std::size_t element, std::size_t length) {
          for (std::size_t i = 0; i < length; ++i) REQUIRE(element_of[slot + i] == element + i);
          found += length;
        });
        CHECK(found == static_cast<std::size_t>(std::count_if(element_of.begin(), element_of.end(),
                                                              [&](std::size_t e) { return e >= from; })));
      }
    }
    for (std::size_t start = 0; start < kCount; ++start) CHECK(std::abs(starts[start] - 1000) < 5 * 30);
  }
}

TEST_CASE("randomk and randomblock send max(1, floor(ratio d)) values and nothing else") {
  for (const char* name : {"randomk", "randomblock"}) {
    for (const std::size_t count : {0, 1, 2, 99, 100, 1009, 100003}) {
      for (const double ratio : {1e-9, 0.01, 0.5, 1.0}) {
        const auto codec = make(sentence(name, ":ratio=", ratio), count);
        const auto k = static_cast<std::size_t>(std::max(1.0, std::floor(ratio * static_cast<double>(count))));
        CHECK(dynamic_cast<LinearCodec&>(*codec).round_count(0) == (count == 0 ? 0 : k));
        auto values = make_input("constant", count, 1);
        const std::vector<float> out = call(*codec, values, 3);
        CHECK(std::count(out.begin(), out.end(), -0.37F) == static_cast<std::ptrdiff_t>(count == 0 ? 0 : k));
        CHECK(std::count(out.begin(), out.end(), 0.0F) == static_cast<std::ptrdiff_t>(count == 0 ? 0 : count - k));
      }
    }
  }
}

TEST_CASE("randomk and randomblock contract by 1 - k/d on average") {
  constexpr std::size_t kCount = 200;
  constexpr std::uint32_t kCalls = 4000;
  for (const char* spec : {"randomk:ratio=0.1", "randomblock:ratio=0.1"}) {
    const auto codec = make(spec, kCount);
    std::vector<float> values = make_input("normal", kCount, 5);
    double norm = 0;
    for (const float x : values) norm += static_cast<double>(x) * x;
    double sum = 0;
    double squares = 0;
    for (std::uint32_t number = 0; number < kCalls; ++number) {
      const std::vector<float> out = call(*codec, values, number);
      double error = 0;
      for (std::size_t i = 0; i < kCount; ++i) error += std::pow(static_cast<double>(values[i]) - out[i], 2);
      sum += error / norm;
      squares += error / norm * error / norm;
    }
    const double mean = sum / kCalls;
    const double deviation = std::sqrt((squares / kCalls - mean * mean) / kCalls);
    INFO(spec, ": mean ", mean, " ± ", deviation, ", seed 42");
    CHECK(std::abs(mean - 0.9) < 5 * deviation);
  }
}

TEST_CASE("randomk:scaled=on is unbiased and has variance (d/k - 1) x^2") {
  constexpr std::size_t kCount = 60;
  constexpr std::uint32_t kCalls = 20000;
  const auto codec = make("randomk:ratio=0.2,scaled=on,ef=off", kCount);
  std::vector<float> values = make_input("normal", kCount, 6);
  std::vector<double> sum(kCount, 0.0);
  double error = 0;
  double norm = 0;
  for (std::uint32_t number = 0; number < kCalls; ++number) {
    const std::vector<float> out = call(*codec, values, number);
    for (std::size_t i = 0; i < kCount; ++i) {
      sum[i] += static_cast<double>(out[i]);
      error += std::pow(static_cast<double>(values[i]) - out[i], 2);
    }
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto x = static_cast<double>(values[i]);
    norm += x * x;
    INFO("element ", i, ", seed 42");
    CHECK(std::abs(sum[i] / kCalls - x) < 5 * std::sqrt(4.0 / kCalls) * std::abs(x));
  }
  CHECK(error / kCalls / norm == doctest::Approx(4.0).epsilon(0.03));
}

namespace {

struct Outcome {
  std::vector<std::vector<float>> results;
  std::vector<std::vector<float>> residuals;
};

/// Two ranks whose gradients differ systematically: 100.5 and -100 everywhere, in each of `calls` calls.
std::vector<Outcome> differing_ranks(const std::string& codec, int calls, std::size_t count) {
  std::vector<Outcome> outcomes(2);
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    const TensorHandle tensor = make_tensor(comm.get(), "t", {count}, codec);
    for (int i = 0; i < calls; ++i) {
      std::vector<float> data(count, rank == 0 ? 100.5F : -100.0F);
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "allreduce");
      Outcome& mine = outcomes[static_cast<std::size_t>(rank)];
      mine.results.push_back(std::move(data));
      mine.residuals.push_back(residual_of(tensor.get(), count));
    }
  });
  return outcomes;
}

}  // namespace

TEST_CASE("shared choices: a rank's residual is its own input without what was chosen, however ranks differ") {
  constexpr std::size_t kCount = 500;
  for (const char* spec : {"randomk:ratio=0.1", "randomblock:ratio=0.1"}) {
    const std::vector<Outcome> ranks = differing_ranks(spec, 40, kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      float waiting = 0;  // calls since the element was chosen
      for (std::size_t number = 0; number < 40; ++number) {
        waiting += 1;
        const float result = ranks[0].results[number][i];
        REQUIRE((result == 0 || result == 0.5F * waiting));
        if (result != 0) waiting = 0;
        REQUIRE(ranks[0].residuals[number][i] == 100.5F * waiting);
        REQUIRE(ranks[1].residuals[number][i] == -100.0F * waiting);
      }
    }
  }
}

TEST_CASE("shared choices: with a rounding wire residuals still sum to what the sum lacks") {
  constexpr std::size_t kCount = 500;
  const std::vector<Outcome> ranks = differing_ranks("randomk:ratio=0.1,wire=fp16", 10, kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    double delivered = 0;
    for (std::size_t number = 0; number < 10; ++number) {
      delivered += static_cast<double>(ranks[0].results[number][i]);
      const double kept =
          static_cast<double>(ranks[0].residuals[number][i]) + static_cast<double>(ranks[1].residuals[number][i]);
      REQUIRE(std::abs(delivered + kept - 0.5 * static_cast<double>(number + 1)) < 1e-3);
    }
  }
}

TEST_CASE("shared choices refuse what they do not know") {
  const Shape shape{DType::float32, {100}};
  for (const char* spec : {"randomk:ratio=0", "randomk:ratio=1.5", "randomk:ratio=nan", "randomk:scaled=maybe",
                           "randomk:wire=int8", "randomk:k=3", "randomblock:ratio=0", "randomblock:scaled=on"}) {
    CAPTURE(spec);
    CHECK_THROWS_AS(make_codec(spec, shape), Error);
  }
  // Scaling and error feedback do not go together unless somebody says so.
  CHECK_THROWS_WITH_AS(make_codec("randomk:scaled=on", shape), doctest::Contains("ef=off"), Error);
  CHECK_FALSE(make_codec("randomk:scaled=on,ef=off", shape).error_feedback);
  CHECK(make_codec("randomk", shape).error_feedback);
}

}  // namespace gossamer::test
