// dryden: which share of each sign is sent, as what, and what merged payloads hold.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/codec_cases.hpp"

namespace gossamer {
namespace {

struct Sent {
  std::size_t up = 0;
  std::size_t down = 0;
  double largest_dropped_up = 0;
  double smallest_sent_up = INFINITY;
  double sum_up = 0;
};

Sent sent_of(std::span<const float> values, std::span<const float> decoded) {
  Sent sent;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    if (decoded[i] > 0) {
      ++sent.up;
      sent.sum_up += value;
      sent.smallest_sent_up = std::min(sent.smallest_sent_up, value);
    } else if (value > 0) {
      sent.largest_dropped_up = std::max(sent.largest_dropped_up, value);
    }
    sent.down += decoded[i] < 0 ? 1 : 0;
  }
  return sent;
}

}  // namespace

TEST_CASE("dryden sends its share of either sign, in steps of a 64th of a magnitude, as the mean of what it sends") {
  constexpr std::size_t kCount = 200000;
  std::vector<float> values = make_input("normal", kCount, 5);
  for (float& value : values) value = value < 0 ? value * 1000 : value;  // the signs' magnitudes have nothing in common
  const auto positive = static_cast<double>(std::count_if(values.begin(), values.end(), [](float x) { return x > 0; }));
  Subject subject("dryden:ratio=0.02", values);
  const std::vector<float> decoded = subject.decode(subject.encode(), kCount);
  const Sent sent = sent_of(values, decoded);
  CHECK(static_cast<double>(sent.up) >= std::floor(0.02 * positive));
  CHECK(static_cast<double>(sent.up) < 0.02 * positive * 1.1);
  CHECK(static_cast<double>(sent.down) >= std::floor(0.02 * (kCount - positive)));
  CHECK(static_cast<double>(sent.down) < 0.02 * (kCount - positive) * 1.1);
  CHECK(sent.largest_dropped_up < sent.smallest_sent_up);
  const double mean = static_cast<double>(*std::max_element(decoded.begin(), decoded.end()));
  CHECK(mean == doctest::Approx(sent.sum_up / static_cast<double>(sent.up)).epsilon(1e-6));
}

TEST_CASE("dryden sends a lone value of its sign, equal values together, and never zeros") {
  const std::vector<float> lone = {-1, -2, 0.125F, -3, 0, -0.0F};
  Subject first("dryden:ratio=0.4", lone);
  CHECK(first.decode(first.encode(), 6) == std::vector<float>{0, 0, 0.125F, -3, 0, 0});
  const std::vector<float> equal = {2, 2, 0, 2, 0, 2};
  Subject second("dryden:ratio=0.01", equal);
  CHECK(second.decode(second.encode(), 6) == equal);
  Subject third("dryden", std::vector<float>(1000, 0.0F));
  CHECK(third.decode(third.encode(), 1000) == std::vector<float>(1000, 0.0F));
}

TEST_CASE("dryden: merged payloads decode to the sum of what was merged, to the last bit") {
  constexpr std::size_t kCount = 5003;
  for (const char* spec : {"dryden:ratio=0.01", "dryden:ratio=0.5", "dryden:ratio=0.1,indices=raw"}) {
    std::vector<Subject> ranks;
    for (std::uint32_t rank = 0; rank < 8; ++rank) ranks.emplace_back(spec, make_input("normal", kCount, rank), rank);
    std::vector<std::byte> sum = ranks[0].encode();
    std::vector<float> oracle = ranks[0].decode(sum, kCount);
    for (std::size_t rank = 1; rank < 8; ++rank) {
      const std::vector<std::byte> next = ranks[rank].encode();
      ranks[0].codec().accumulate(next, 1, chunk_of(oracle));
      sum = ranks[0].merge(sum, next);
      CAPTURE(spec);
      CHECK(sum.size() <= ranks[0].codec().max_payload(kCount));
      CHECK(ranks[0].decode(sum, kCount) == oracle);
    }
  }
}

TEST_CASE("dryden: one percent takes about nine bits a value") {
  Subject subject("dryden:ratio=0.01", make_input("normal", 1000000, 6));
  CHECK(8.0 * static_cast<double>(subject.encode().size()) / 10000 < 9.6);
}

TEST_CASE("dryden refuses what it does not know") {
  for (const char* options : {"ratio=0", "ratio=0.6", "ratio=nan", "values=fp16", "indices=huffman"}) {
    CAPTURE(options);
    CHECK_THROWS_AS(make_codec(sentence("dryden:", options), Shape{DType::float32, {100}}), Error);
  }
  CHECK(make_codec("dryden", Shape{DType::float32, {100}}).error_feedback);
}

}  // namespace gossamer
