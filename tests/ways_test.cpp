// The ways of reducing: what they are predicted to send, which one reduce=auto takes, and that all-gathered payloads
// add up to exactly what the ranks encoded.
#include "compress/ways.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <optional>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::size_t kCount = 100000;
const Shape kShape{DType::float32, {kCount}};

std::vector<Stage> ring(int ranks) {
  return {{static_cast<std::size_t>(ranks), false}};
}

double bytes_of(const std::string& spec, const std::string& way, const std::vector<Stage>& stages,
                const std::optional<Density>& measured = {}) {
  for (const Way& each : ways_of(spec, kShape, stages)) {
    if (each.name == way) return predicted_bytes(each, kShape, stages, measured);
  }
  fail(Status::internal, spec, " has no way '", way, "'");
}

std::string taken(const std::string& spec, int ranks) {
  return cheapest(ways_of(spec, kShape, ring(ranks))).name;
}

std::string refusal(const std::string& spec) {
  try {
    make_codec(spec, Shape{DType::float32, {100, 100}});
  } catch (const Error& error) {
    CHECK(error.status() == Status::argument);
    return error.what();
  }
  return "";
}

/// Small integers, so that float sums are exact in any order.
std::vector<float> integers(int rank, std::size_t count) {
  std::mt19937_64 random(mixed_seed(88, rank, 0));
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 2001) - 1000);
  return values;
}

/// Σ over the ranks of what the codec makes of each rank's input alone.
std::vector<float> oracle(const std::string& codec, int ranks, std::size_t count) {
  std::vector<float> sum(count, 0.0F);
  std::vector<float> one(count);
  for (int rank = 0; rank < ranks; ++rank) {
    std::size_t bytes = 0;
    ok(goss_codec_apply(codec.c_str(), integers(rank, count).data(), one.data(), 1, &count, 0, &bytes), codec);
    for (std::size_t i = 0; i < count; ++i) sum[i] += one[i];
  }
  return sum;
}

}  // namespace

TEST_CASE("predicted bytes follow the formulas of the reduction classes") {
  for (const int n : {1, 2, 3, 8, 16}) {
    INFO(n << " ranks");
    const double payload = 8.0 + 2.0 * kCount;
    CHECK(bytes_of("fp16", "in steps", ring(n)) == doctest::Approx(2.0 * (n - 1) / n * payload));
    CHECK(bytes_of("fp16", "all-gather", ring(n)) == doctest::Approx((n - 1) * payload));
    // A union of t random choices has density 1 - (1 - rho)^t; an entry is a float and about log2(1/density) + 1.5
    // bits.
    const auto bytes = [](int t) {
      const double density = 1 - std::pow(0.99, t);
      return density * kCount * (4 + (1.5 - std::log2(density)) / 8);
    };
    double sent = bytes(n) * (n - 1) / n;
    for (int t = 1; t < n; ++t) sent += bytes(t) / n;
    CHECK(bytes_of("topk:ratio=0.01", "union", ring(n)) == doctest::Approx(sent).epsilon(0.01));
    CHECK(bytes_of("topk:ratio=0.01", "all-gather", ring(n)) == doctest::Approx((n - 1) * bytes(1)).epsilon(0.01));
  }
}

TEST_CASE("reduce=auto: gather disjoint supports, merge what overlaps, encode again when that saves more than half") {
  CHECK(taken("topk:ratio=0.01", 2) == "all-gather");
  CHECK(taken("topk:ratio=0.01", 16) == "reselect");
  CHECK(taken("topk:ratio=0.9", 16) == "union");
  CHECK(taken("fp16", 2) == "all-gather");
  CHECK(taken("fp16", 8) == "in steps");
  CHECK(taken("terngrad", 8) == "in steps");
}

TEST_CASE("reduce=auto leaves a choice where it can be measured: ways with a codec for each that differs in more") {
  CodecChoice sparse = make_codec("topk:ratio=0.01,reduce=auto", kShape);
  const std::vector<Way> ways = ways_to_take(sparse, kShape, ring(4));
  REQUIRE(ways.size() == 3);
  CHECK(ways[0].spec == "topk:merge=union,ratio=0.01,reduce=steps");
  CHECK(ways[1].spec == "topk:merge=reselect,ratio=0.01,reduce=steps");
  CHECK(ways[2].spec == "topk:merge=union,ratio=0.01,reduce=allgather");
  CHECK(ways[2].codec == ways[0].codec);
  CHECK(ways[1].codec != ways[0].codec);
  CHECK(dynamic_cast<MergeableCodec*>(ways[1].codec.get()) == nullptr);
  CodecChoice dense = make_codec("int8:reduce=auto", kShape);
  const std::vector<Way> one = ways_to_take(dense, kShape, ring(2));
  REQUIRE(one.size() == 1);
  CHECK(one[0].gathered);
  CodecChoice told = make_codec("topk:ratio=0.01", kShape);
  CHECK(ways_to_take(told, kShape, ring(4)).size() == 1);
}

TEST_CASE("the density of partial sums is exact for independent, equal and partly equal supports, and never too high") {
  for (const std::size_t n : {2U, 3U, 8U, 64U}) {
    for (const double share : {0.0001, 0.01, 0.3}) {
      for (const double common : {0.0, 0.2, 1.0}) {  // of each rank's share; the rest is independent of the others
        const double rest = (1 - common) * share / (1 - common * share);
        const auto union_of = [&](std::size_t t) {
          return 1 - (1 - common * share) * std::pow(1 - rest, static_cast<double>(t));
        };
        const Density measured{share, union_of(n)};
        for (std::size_t t = 1; t <= n; ++t) {
          CAPTURE(t);
          CAPTURE(n);
          CAPTURE(share);
          CHECK(measured.of(t, n) == doctest::Approx(union_of(t)).epsilon(1e-6));
        }
      }
      const double apart = std::min(1.0, share * static_cast<double>(n));
      for (std::size_t t = 1; t <= n; ++t) {
        CHECK(Density{share, apart}.of(t, n) <= std::min(1.0, share * static_cast<double>(t)) + 1e-12);
        if (apart < 0.1) {
          CHECK(Density{share, apart}.of(t, n) == doctest::Approx(share * static_cast<double>(t)).epsilon(0.05));
        }
      }
    }
  }
}

TEST_CASE("measured densities decide: equal supports are merged, however many ranks; disjoint ones are gathered") {
  const Density equal{0.01, 0.01};
  for (const int n : {3, 8, 64}) {
    const double entry = 0.01 * kCount * (4 + (1.5 + std::log2(100.0)) / 8);
    CHECK(bytes_of("topk:ratio=0.01", "union", ring(n), equal) ==
          doctest::Approx(2.0 * (n - 1) / n * entry).epsilon(0.01));
    CHECK(bytes_of("topk:ratio=0.01", "all-gather", ring(n), equal) == doctest::Approx((n - 1) * entry).epsilon(0.01));
  }
  const Density disjoint{0.01, 0.04};
  const std::vector<Stage> complete = {{4, true}};
  const auto raw = [&](double share) { return share * kCount * 8; };
  CHECK(bytes_of("topk:ratio=0.01,indices=raw", "union", ring(4), disjoint) ==
        doctest::Approx(raw(0.01 + 0.02 + 0.03) / 4 + 0.75 * raw(0.04)).epsilon(0.01));
  CHECK(bytes_of("topk:ratio=0.01,indices=raw", "union", complete, disjoint) ==
        doctest::Approx(0.75 * raw(0.01) + 0.75 * raw(0.04)).epsilon(0.01));
  const std::vector<Stage> torus = {{2, false}, {2, false}};
  CHECK(bytes_of("topk:ratio=0.01,indices=raw", "union", torus, disjoint) ==
        doctest::Approx(raw(0.01) / 2 + raw(0.02) / 4 + 0.75 * raw(0.04)).epsilon(0.01));
}

TEST_CASE("reduce= is refused in words where it makes no sense") {
  CHECK(refusal("topk:reduce=ring") == "codec topk: reduce=ring is not valid; reduce is one of steps, allgather, auto");
  for (const std::string codec : {"identity", "powersgd:rank=2"}) {
    const std::string separator = codec.find(':') == std::string::npos ? ":" : ",";
    CHECK(refusal(codec + separator + "reduce=allgather").find("reduce=allgather is not valid") != std::string::npos);
    CHECK(refusal(codec + separator + "reduce=auto").empty());
  }
}

TEST_CASE("gathered payloads and exact unions are the oracle's sum to the bit, on every topology") {
  INFO("seed 88");
  const std::vector<std::string> specs = {"topk:ratio=0.05,reduce=allgather", "topk:ratio=0.05",
                                          "fp16:reduce=allgather"};
  for (int ranks = 1; ranks <= 8; ++ranks) {
    for (const std::string& topology : topologies_of(ranks)) {
      for (const std::size_t count : {std::size_t{1}, std::size_t{1009}, std::size_t{100003}}) {
        ThreadGroup group(ranks);
        run_ranks(ranks, [&](int rank) {
          const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 topology=" + topology);
          for (const std::string& spec : specs) {
            const TensorHandle tensor = make_tensor(comm.get(), spec, {count}, spec);
            std::vector<float> data = integers(rank, count);
            ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), spec);
            expect(same_bits(data, oracle(spec, ranks, count)), spec, " on ", topology, ", ", ranks, " ranks, ", count,
                   " elements: not the oracle's sum");
          }
        });
      }
    }
  }
}

TEST_CASE("sums of integer codes are the sums of gathered ones to the bit, in whatever form, on every topology") {
  INFO("seed 88");
  constexpr std::size_t kSize = 20011;
  for (int ranks = 1; ranks <= 8; ++ranks) {
    for (const std::string& topology : topologies_of(ranks)) {
      ThreadGroup group(ranks);
      run_ranks(ranks, [&](int rank) {
        for (const std::string options : {"bits=2,bucket=0", "bits=4,bucket=0,coding=elias", "bits=3,coding=elias"}) {
          // A largest value of 1344 = 2^6 · 21 makes every unit a power of two times 21 / 1, 7 or 3: sums are exact.
          std::vector<float> input = integers(rank, kSize);
          for (float& value : input) value = std::trunc(value / 10);
          for (std::size_t i = 0; i < kSize; i += 512) input[i] = 1344;
          std::vector<std::vector<float>> results;
          for (const std::string more : {"reduce=allgather", "reduce=steps", "reduce=steps,coding=planes"}) {
            const std::size_t coding = options.find(",coding");
            const std::string kept = more.find("coding") == std::string::npos ? options : options.substr(0, coding);
            const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 topology=" + topology);
            const TensorHandle tensor = make_tensor(comm.get(), "w", {kSize}, "qsgd:" + kept + "," + more);
            results.push_back(input);
            ok(goss_allreduce(tensor.get(), results.back().data(), GOSS_SUM), more);
          }
          for (const auto& result : results) {
            expect(same_bits(result, results[0]), options, " on ", topology, ", ", ranks, " ranks: not the same sum");
          }
        }
      });
    }
  }
}

TEST_CASE("what is sent is what was predicted, but for headers and records") {
  constexpr std::size_t kLarge = 2'000'000;
  for (const int ranks : {2, 4, 7}) {
    for (const std::string spec : {"fp16", "int8", "terngrad", "topk:ratio=0.01", "qsgd:bits=2,norm=l2"}) {
      for (const Way& way : ways_of(spec, Shape{DType::float32, {kLarge}}, ring(ranks))) {
        std::vector<double> sent(static_cast<std::size_t>(ranks));
        ThreadGroup group(ranks);
        run_ranks(ranks, [&](int rank) {
          const CommHandle comm = make_comm(group, rank, "transport=inproc");
          const TensorHandle tensor = make_tensor(comm.get(), "w", {kLarge}, way.spec);
          std::vector<float> data = normal_values(77, rank, 0, kLarge);
          ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), way.spec);
          goss_stats stats{};
          stats.struct_size = sizeof stats;
          ok(goss_tensor_stats(tensor.get(), &stats), "stats");
          sent[static_cast<std::size_t>(rank)] = static_cast<double>(stats.bytes_sent);
        });
        const double mean = std::accumulate(sent.begin(), sent.end(), 0.0) / ranks;
        INFO("seed 77, " << ranks << " ranks, " << way.spec << ": " << mean << " bytes, predicted " << way.bytes);
        CHECK(mean == doctest::Approx(way.bytes).epsilon(0.05));
      }
    }
  }
}

}  // namespace gossamer::test
