#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "compress/codec.hpp"
#include "compress/sparse_payload.hpp"
#include "lib/base/error.hpp"

namespace gossamer {
namespace {

using Random = std::mt19937_64;
using Payload = std::vector<std::byte>;

std::unique_ptr<TensorCodec> make(const std::string& spec, std::size_t count) {
  return make_codec(spec, Shape{DType::float32, {count}}).codec;
}

Chunk chunk_of(std::vector<float>& values, std::size_t offset = 0, std::size_t count = SIZE_MAX) {
  return {reinterpret_cast<std::byte*>(values.data() + offset), std::min(count, values.size() - offset), offset};
}

std::vector<float> normal_values(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

Payload encode(Codec& codec, std::vector<float>& values) {
  Payload slot(codec.max_payload(values.size()));
  codec.begin(chunk_of(values), {});
  const Bytes bytes = codec.encode(chunk_of(values), slot);
  return {bytes.begin(), bytes.end()};
}

std::vector<float> decode(const Codec& codec, Bytes payload, std::size_t count) {
  std::vector<float> out(count);
  codec.accumulate(payload, 1, chunk_of(out));
  return out;
}

Payload merge(const MergeableCodec& codec, const Payload& a, const Payload& b, std::size_t count) {
  Payload slot(codec.max_payload(count));
  const Bytes bytes = codec.merge(a, b, count, slot);
  return {bytes.begin(), bytes.end()};
}

double squared_norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return sum;
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return sum;
}

const char* const kValues[] = {"fp32", "fp16", "bf16", "int8"};
const char* const kIndices[] = {"raw", "bitpack", "golomb", "bitmap", "auto"};
const std::size_t kCounts[] = {0, 1, 2, 1009, 100003};

}  // namespace

TEST_CASE("topk keeps the five largest of the published example") {
  std::vector<float> values = {-1.7F, 2.9F, 10.5F, 11.4F, -23.1F, 0.88F, 1.01F, 0, 5.51F, -0.98F};
  const std::vector<float> kept = {0, 2.9F, 10.5F, 11.4F, -23.1F, 0, 0, 0, 5.51F, 0};
  for (const char* spec : {"topk:ratio=0.5", "topk:ratio=0.5,merge=reselect"}) {
    const auto codec = make(spec, values.size());
    auto& topk = dynamic_cast<Codec&>(*codec);
    CHECK(decode(topk, encode(topk, values), values.size()) == kept);
  }
}

TEST_CASE("topk keeps max(1, floor(ratio d)) values of a tensor, in whatever chunks it is asked for") {
  for (const std::size_t count : kCounts) {
    for (const double ratio : {1e-9, 0.01, 0.3, 1.0}) {
      auto values = normal_values(count, count);
      const auto codec = make(sentence("topk:ratio=", ratio), count);
      auto& topk = dynamic_cast<Codec&>(*codec);
      topk.begin(chunk_of(values), {});
      std::size_t kept = 0;
      Payload slot(topk.max_payload(1000));
      for (std::size_t at = 0; at < count; at += 1000) {
        const Chunk chunk = chunk_of(values, at, 1000);
        const auto out = decode(topk, topk.encode(chunk, slot), chunk.count);
        for (std::size_t i = 0; i < out.size(); ++i) {
          CHECK((out[i] == 0 || out[i] == values[at + i]));
          kept += out[i] != 0;
        }
      }
      const auto k = static_cast<std::size_t>(std::max(1.0, std::floor(ratio * static_cast<double>(count))));
      CAPTURE(count);
      CAPTURE(ratio);
      CHECK(kept == (count == 0 ? 0 : k));
    }
  }
}

TEST_CASE("topk payloads stay within max_payload and give back the kept values for every pair of coders") {
  for (const std::size_t count : kCounts) {
    auto values = normal_values(count, 5);
    for (const char* merge_key : {"union", "reselect"}) {
      const auto exact = make(sentence("topk:ratio=0.1,merge=", merge_key), count);
      auto& exact_topk = dynamic_cast<Codec&>(*exact);
      const auto kept = decode(exact_topk, encode(exact_topk, values), count);
      for (const char* value_key : kValues) {
        for (const char* index_key : kIndices) {
          const auto spec = sentence("topk:ratio=0.1,values=", value_key, ",indices=", index_key, ",merge=", merge_key);
          CAPTURE(spec);
          CAPTURE(count);
          const auto codec = make(spec, count);
          auto& topk = dynamic_cast<Codec&>(*codec);
          const Payload payload = encode(topk, values);
          CHECK(payload.size() <= topk.max_payload(count));
          const auto decoded = decode(topk, payload, count);
          // int8, the coarsest: half a step of largest / 127.
          bool close = true;
          for (std::size_t i = 0; i < count; ++i) {
            close &= kept[i] == 0 ? decoded[i] == 0 : std::fabs(decoded[i] - kept[i]) <= 6.0F / 254;
          }
          CHECK(close);
        }
      }
    }
  }
}

TEST_CASE("topk contracts by 1 - k/d, exactly so when all magnitudes are equal") {
  for (const std::size_t count : {2, 17, 1009, 100003}) {
    for (const double ratio : {0.01, 0.1, 0.5, 1.0}) {
      const auto codec = make(sentence("topk:ratio=", ratio), count);
      auto& topk = dynamic_cast<Codec&>(*codec);
      const double k = std::max(1.0, std::floor(ratio * static_cast<double>(count)));
      const double factor = 1 - k / static_cast<double>(count);
      CAPTURE(count);
      CAPTURE(ratio);
      auto values = normal_values(count, 7);
      CHECK(squared_distance(values, decode(topk, encode(topk, values), count)) <=
            factor * squared_norm(values) + 1e-9);
      for (std::size_t i = 0; i < count; ++i) values[i] = i % 3 == 0 ? -0.5F : 0.5F;
      CHECK(squared_distance(values, decode(topk, encode(topk, values), count)) ==
            doctest::Approx(factor * squared_norm(values)));
    }
  }
}

TEST_CASE("topk: what is sent and what is left make the input, for every value coder") {
  const std::size_t count = 10007;
  for (const char* value_key : kValues) {
    const auto codec = make(sentence("topk:ratio=0.05,values=", value_key), count);
    auto& topk = dynamic_cast<Codec&>(*codec);
    auto values = normal_values(count, 9);
    const auto input = values;
    const Payload payload = encode(topk, values);
    topk.accumulate(payload, -1, chunk_of(values));
    topk.accumulate(payload, 1, chunk_of(values));
    CAPTURE(value_key);
    bool whole = true;
    for (std::size_t i = 0; i < count; ++i) whole &= std::fabs(values[i] - input[i]) <= 0x1p-22F * std::fabs(input[i]);
    CHECK(whole);
  }
}

TEST_CASE("merged topk payloads decode to the sum of what was merged, to the last bit") {
  for (const std::size_t count : kCounts) {
    for (const char* options : {"ratio=0.01", "ratio=0.01,values=fp16", "ratio=0.2,values=int8,indices=raw",
                                "ratio=0.3,values=bf16,indices=bitmap", "ratio=1", "ratio=1,values=int8"}) {
      const auto codec = make(sentence("topk:", options), count);
      auto& topk = dynamic_cast<MergeableCodec&>(*codec);
      auto values = normal_values(count, 100);
      Payload sum = encode(topk, values);
      auto oracle = decode(topk, sum, count);
      for (std::uint64_t rank = 1; rank < 8; ++rank) {
        values = normal_values(count, 100 + rank);
        const Payload next = encode(topk, values);
        topk.accumulate(next, 1, chunk_of(oracle));
        sum = rank % 2 == 0 ? merge(topk, sum, next, count) : merge(topk, next, sum, count);
        CAPTURE(options);
        CAPTURE(count);
        CAPTURE(rank);
        CHECK(sum.size() <= topk.max_payload(count));
        const bool same = decode(topk, sum, count) == oracle;
        CHECK(same);
      }
    }
  }
}

TEST_CASE("topk: a union that fills up turns dense, and stays within it") {
  const std::size_t count = 1000;
  const auto codec = make("topk:ratio=0.6,indices=raw", count);
  auto& topk = dynamic_cast<MergeableCodec&>(*codec);
  auto values = normal_values(count, 1);
  const Payload a = encode(topk, values);
  values = normal_values(count, 2);
  const Payload sum = merge(topk, a, encode(topk, values), count);
  CHECK(SparsePayload::parse(sum, count).dense);
  CHECK(sum.size() == topk.max_payload(count));
}

TEST_CASE("topk:merge=reselect keeps the largest of each partial sum") {
  const std::size_t count = 1009;
  const auto codec = make("topk:ratio=0.01,merge=reselect", count);
  CHECK(dynamic_cast<MergeableCodec*>(codec.get()) == nullptr);
  auto& topk = dynamic_cast<Codec&>(*codec);
  auto values = normal_values(count, 3);
  const auto decoded = decode(topk, encode(topk, values), count);
  std::vector<float> sorted = values;
  std::sort(sorted.begin(), sorted.end(), [](float a, float b) { return std::fabs(a) > std::fabs(b); });
  CHECK(std::count_if(decoded.begin(), decoded.end(), [](float value) { return value != 0; }) == 10);
  for (std::size_t i = 0; i < count; ++i)
    CHECK(decoded[i] == (std::fabs(values[i]) >= std::fabs(sorted[9]) ? values[i] : 0));
}

TEST_CASE("topk:ratio=1 is exact and dense") {
  const std::size_t count = 1009;
  const auto codec = make("topk:ratio=1", count);
  auto& topk = dynamic_cast<Codec&>(*codec);
  auto values = normal_values(count, 4);
  const Payload payload = encode(topk, values);
  CHECK(payload.size() == kSparseHeaderBytes + 4 * count);
  CHECK(decode(topk, payload, count) == values);
}

TEST_CASE("topk sends an all-zero tensor as a bare header") {
  std::vector<float> values(100003);
  const auto codec = make("topk", values.size());
  auto& topk = dynamic_cast<Codec&>(*codec);
  const Payload payload = encode(topk, values);
  CHECK(payload.size() == kSparseHeaderBytes);
  CHECK(decode(topk, payload, values.size()) == values);
}

TEST_CASE("topk refuses what it does not know") {
  for (const char* options : {"ratio=0", "ratio=1.01", "ratio=-1", "ratio=nan", "ratio=many", "values=fp8",
                              "indices=huffman", "merge=average", "k=5", "ef=maybe"}) {
    CAPTURE(options);
    CHECK_THROWS_AS(make_codec(sentence("topk:", options), Shape{DType::float32, {100}}), Error);
  }
  CHECK(make_codec("topk", Shape{DType::float32, {100}}).error_feedback);
}

namespace {

/// Decodes and merges bytes nobody vouches for: the result or `corrupt`, nothing else.
void feed(MergeableCodec& codec, const Payload& hostile, const Payload& good, std::size_t count) {
  std::vector<float> out(count);
  Payload slot(codec.max_payload(count));
  const auto allow_corrupt = [](const auto& act) {
    try {
      act();
    } catch (const Error& error) {
      CHECK(error.status() == Status::corrupt);
    }
  };
  allow_corrupt([&] { codec.accumulate(hostile, 1, chunk_of(out)); });
  allow_corrupt([&] { static_cast<void>(codec.merge(hostile, good, count, slot)); });
  allow_corrupt([&] { static_cast<void>(codec.merge(good, hostile, count, slot)); });
}

}  // namespace

TEST_CASE("topk decodes hostile bytes or calls them corrupt") {
  const std::size_t count = 257;
  const std::uint64_t seed = 81;
  INFO("seed ", seed);
  Random random(seed);
  for (const char* index_key : kIndices) {
    for (const char* value_key : kValues) {
      const auto codec = make(sentence("topk:ratio=0.1,values=", value_key, ",indices=", index_key), count);
      auto& topk = dynamic_cast<MergeableCodec&>(*codec);
      auto values = normal_values(count, 6);
      const Payload good = encode(topk, values);
      for (std::size_t size = 0; size < good.size(); ++size) {
        const Payload cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK_THROWS_AS(decode(topk, cut, count), Error);
        feed(topk, cut, good, count);
      }
      for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
        Payload flipped = good;
        flipped[bit / 8] ^= std::byte{1} << (bit % 8);
        feed(topk, flipped, good, count);
      }
      for (int round = 0; round < 300; ++round) {
        Payload noise(random() % 300);
        for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
        // Half of them get past the header.
        if (round % 2 == 0) std::copy_n(good.begin(), std::min<std::size_t>(noise.size(), 12), noise.begin());
        feed(topk, noise, good, count);
      }
      CHECK_THROWS_AS(decode(topk, good, count + 1), Error);
    }
  }
}

}  // namespace gossamer
