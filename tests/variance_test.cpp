#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "compress/variance_kernels.hpp"
#include "tests/codec_cases.hpp"
#include "tests/every_target.hpp"
#include "tests/library_cases.hpp"

/// Methods that remember more than a residual: variance and sgc, against their definitions in float64.
namespace gossamer::test {
namespace {

constexpr std::size_t kCount = 2000;

/// One rank of a variance codec: a call as the library makes it.
struct Rank {
  explicit Rank(const std::string& spec)
      : made(make_codec(spec, Shape{DType::float32, {kCount}}).codec), residual(kCount) {}

  /// What is sent of the gradient and the residual.
  std::vector<float> call(std::vector<float> gradient, int ranks) {
    StepContext context;
    context.ranks = ranks;
    context.input_scale = 1.0F / static_cast<float>(ranks);
    dynamic_cast<Conditioner&>(*made).condition(chunk_of(gradient), context);
    for (std::size_t i = 0; i < kCount; ++i) gradient[i] = (gradient[i] + residual[i]) * context.input_scale;
    auto& codec = dynamic_cast<Codec&>(*made);
    codec.begin(chunk_of(gradient), context);
    std::vector<std::byte> slot(codec.max_payload(kCount));
    const Bytes payload = codec.encode(chunk_of(gradient), slot);
    std::vector<float> sent(kCount);
    codec.accumulate(payload, static_cast<float>(ranks), chunk_of(sent));
    codec.accumulate(payload, -1, chunk_of(gradient));
    for (std::size_t i = 0; i < kCount; ++i) residual[i] = gradient[i] * static_cast<float>(ranks);
    return sent;
  }

  std::unique_ptr<TensorCodec> made;
  std::vector<float> residual;
};

std::vector<float> drifting(int call) {
  std::vector<float> gradient = normal_values(51, 0, call, kCount);
  for (std::size_t i = 0; i < kCount; ++i) gradient[i] += 2.0F * static_cast<float>(i) / kCount;
  return gradient;
}

}  // namespace

TEST_CASE("variance sends what the paper's rule says, under a sum and under a mean, with and without moments") {
  for (const int ranks : {1, 4}) {
    for (const bool given : {false, true}) {
      INFO(ranks, " ranks, moments given: ", given, ", seed 51");
      Rank rank("variance:alpha=1.5,zeta=0.9");
      std::vector<double> r(kCount);
      std::vector<double> v(kCount);
      std::size_t sent_in_all = 0;
      for (int call = 0; call < 20; ++call) {
        const std::vector<float> gradient = drifting(call);
        std::vector<float> moments = normal_values(52, 0, call, kCount);
        for (float& moment : moments) moment *= moment;
        if (given) dynamic_cast<TakesSecondMoments&>(*rank.made).second_moments(moments);
        const std::vector<float> sent = rank.call(gradient, ranks);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < kCount; ++i) {
          r[i] += gradient[i];
          v[i] += given ? moments[i] : static_cast<double>(gradient[i]) * gradient[i];
          const bool expected = sent[i] != 0.0F;
          // Ties within float rounding may go either way: a first gradient is its own second moment.
          const bool tie = std::abs(r[i] * r[i] - 1.5 * v[i]) <= 1e-5 * (r[i] * r[i] + v[i]);
          wrong += !tie && expected != (r[i] * r[i] > 1.5 * v[i]);
          wrong += expected && std::abs(sent[i] - r[i]) > 1e-4;
          sent_in_all += expected;
          v[i] = expected ? 0 : 0.9 * v[i];
          if (expected) r[i] = 0;
        }
        CHECK(wrong == 0);
      }
      CHECK(sent_in_all > kCount / 10);
      CHECK(sent_in_all < kCount * 19);
    }
  }
}

TEST_CASE("variance sends a constant gradient in the call in which it has outgrown alpha, and its sum") {
  // After t calls r = t g and, with zeta = 1, v = t g²: sent once t > alpha.
  Rank rank("variance:alpha=3.5,zeta=1");
  for (int call = 1; call <= 8; ++call) {
    const std::vector<float> sent = rank.call(std::vector<float>(kCount, -0.5F), 1);
    const float expected = call % 4 == 0 ? -2.0F : 0.0F;
    CHECK(std::all_of(sent.begin(), sent.end(), [&](float x) { return x == expected; }));
  }
}

TEST_CASE("variance refuses second moments that cannot be, takes huge ones, and forgets them on reset") {
  Rank rank("variance");
  auto& taker = dynamic_cast<TakesSecondMoments&>(*rank.made);
  CHECK_THROWS_AS(taker.second_moments(std::vector<float>(kCount - 1)), Error);
  for (const float bad : {-1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> moments(kCount);
    moments[7] = bad;
    CHECK_THROWS_AS(taker.second_moments(moments), Error);
    CHECK(rank.made->state()[7] == 0.0F);
  }
  taker.second_moments(std::vector<float>(kCount, 3e38F));
  taker.second_moments(std::vector<float>(kCount, 3e38F));
  CHECK(std::isfinite(rank.made->state()[0]));
  const std::vector<float> sent = rank.call(std::vector<float>(kCount, 1e30F), 1);
  CHECK(sent[0] == 1e30F);  // a gradient beyond the moments' range is sent rather than kept for ever
  taker.second_moments(std::vector<float>(kCount, 1.0F));
  rank.made->reset();
  CHECK(rank.made->state()[0] == 0.0F);
}

TEST_CASE("sgc is one decaying buffer that what is sent leaves") {
  constexpr std::size_t kElements = 1000;
  constexpr std::size_t kKept = 20;
  INFO("seed 53");
  ThreadGroup group(1);
  run_ranks(1, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kElements}, "sgc:ratio=0.02,momentum=0.8");
    std::vector<double> buffer(kElements);
    for (int call = 0; call < 30; ++call) {
      std::vector<float> data = normal_values(53, 0, call, kElements);
      for (std::size_t i = 0; i < kElements; ++i) buffer[i] = 0.8 * buffer[i] + data[i];
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "allreduce");
      std::vector<std::size_t> order(kElements);
      std::iota(order.begin(), order.end(), 0U);
      std::sort(order.begin(), order.end(), [&](auto a, auto b) { return std::abs(buffer[a]) > std::abs(buffer[b]); });
      for (std::size_t i = 0; i < kElements; ++i) {
        const std::size_t at = order[i];
        const double wanted = i < kKept ? buffer[at] : 0;
        expect(std::abs(data[at] - wanted) < 1e-5, "element ", at, " is ", data[at], " instead of ", wanted);
        if (i < kKept) buffer[at] = 0;
      }
    }
  });
}

TEST_CASE("variance and sgc refuse options out of range") {
  for (const char* spec : {"variance:alpha=-1", "variance:zeta=1.1", "variance:ratio=0.1", "variance:merge=reselect",
                           "sgc:ratio=0", "sgc:momentum=1", "sgc:masking=off"}) {
    INFO(std::string(spec));
    CHECK_THROWS_AS(make_codec(spec, Shape{DType::float32, {100}}), Error);
  }
}

TEST_CASE("goss_tensor_second_moments decides what is sent, and is refused where it means nothing") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, "variance");
    std::vector<float> moments(kCount);
    for (std::size_t i = 0; i < kCount; ++i) moments[i] = i % 2 == 0 ? 0.5F : 2.0F;  // beside a gradient of 1
    ok(goss_tensor_second_moments(tensor.get(), moments.data()), "moments");
    std::vector<float> data(kCount, 1.0F);
    ok(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), "all-reduce");
    for (std::size_t i = 0; i < kCount; ++i)
      expect(data[i] == (i % 2 == 0 ? 1.0F : 0.0F), "element ", i, ": ", data[i]);
    moments[7] = -1;
    fails(goss_tensor_second_moments(tensor.get(), moments.data()), GOSS_ERR_ARGUMENT, {"-1"}, "a negative moment");
    fails(goss_tensor_second_moments(tensor.get(), nullptr), GOSS_ERR_ARGUMENT, {"moments", "NULL"}, "no moments");
    const TensorHandle other = make_tensor(comm.get(), "v", {kCount}, "topk:ratio=0.01");
    fails(goss_tensor_second_moments(other.get(), moments.data()), GOSS_ERR_UNSUPPORTED, {"topk"}, "another codec");
  });
}

TEST_CASE("variance kernels: squares, marks and what is marked equal their definitions") {
  on_every_target([] {
    for (const std::string_view pattern : kPatterns) {
      for (const std::size_t count : {0, 1, 17, 1009}) {
        INFO("input '", std::string(pattern), "' of ", count, " values, seeds 54 and 55");
        const std::vector<float> values = make_input(pattern, count, 54);
        const std::vector<float> others = make_input(pattern, count, 55);
        std::vector<float> moments(count);
        kernels::add_squares(others, moments);
        const std::vector<float> first = moments;
        kernels::mark_outgrown(values, 1.5, 0.9F, moments);
        std::vector<std::uint32_t> indices(count + kernels::kStoreSlack);
        std::vector<float> picked(indices.size());
        const std::size_t found = kernels::pick_marked(values, moments.data(), 3, {indices.data(), picked.data()});
        std::size_t wrong = 0;
        std::size_t marked = 0;
        for (std::size_t i = 0; i < count; ++i) {
          const double square = std::pow(static_cast<double>(others[i]), 2);
          const double bounded = std::min(square, static_cast<double>(std::numeric_limits<float>::max()));
          wrong += std::abs(static_cast<double>(first[i]) - bounded) <= bounded * 0x1p-24 + 0x1p-150 ? 0 : 1;
          const bool outgrown = std::pow(static_cast<double>(values[i]), 2) > 1.5 * static_cast<double>(first[i]);
          const float expected = outgrown ? -0.0F : 0.9F * first[i];
          wrong += std::signbit(moments[i]) == outgrown && moments[i] == expected ? 0 : 1;
          if (!outgrown) continue;
          wrong += marked < found && indices[marked] == 3 + i && picked[marked] == values[i] ? 0 : 1;
          ++marked;
        }
        CHECK(wrong == 0);
        CHECK(found == marked);
      }
    }
  });
}

}  // namespace gossamer::test
