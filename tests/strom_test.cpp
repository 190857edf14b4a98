// strom: quanta that add up to integers, and what is left of values beyond them.
#include <doctest/doctest.h>

#include <cmath>

#include "compress/signed_counts.hpp"
#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

Subject subject(std::vector<float> values, const std::string& options = "tau=0.5") {
  return Subject("strom:" + options, std::move(values));
}

}  // namespace

TEST_CASE("strom: values beyond tau become a quantum, and keep the rest") {
  Subject strom = subject({0.5F, 0.75F, -0.75F, 3.0F, 0.0F, -0.25F});
  const auto payload = strom.encode();
  CHECK(strom.decode(payload, 6) == std::vector<float>{0, 0.5F, -0.5F, 0.5F, 0, 0});
  std::vector<float> residual = strom.values();
  strom.codec().accumulate(payload, -1, chunk_of(residual));
  CHECK(residual == std::vector<float>{0.5F, 0.25F, -0.25F, 2.5F, 0, -0.25F});
}

TEST_CASE("strom: merged payloads hold exactly the sum of the ranks' quanta, whatever the order") {
  constexpr std::size_t kCount = 3000;
  // A third of 1/3 is no float: only integers can be exact here.
  const float tau = 1.0F / 3.0F;
  std::vector<Subject> ranks;
  std::vector<int> counts(kCount, 0);
  for (std::uint32_t rank = 0; rank < 37; ++rank) {
    ranks.push_back(subject(make_input("normal", kCount, 50 + rank), "tau=0.333333343"));
    for (std::size_t i = 0; i < kCount; ++i) {
      const float value = ranks.back().values()[i];
      counts[i] += std::abs(value) > tau ? (value > 0 ? 1 : -1) : 0;
    }
  }
  std::vector<std::byte> up = ranks[0].encode();
  std::vector<std::byte> down = ranks[36].encode();
  for (std::size_t rank = 1; rank < 37; ++rank) {
    up = ranks[0].merge(up, ranks[rank].encode());
    down = ranks[0].merge(ranks[36 - rank].encode(), down);
    CHECK(up.size() <= ranks[0].codec().max_payload(kCount));
  }
  CHECK(up == down);
  const std::vector<float> sum = ranks[0].decode(up, kCount);
  for (std::size_t i = 0; i < kCount; ++i) REQUIRE(sum[i] == static_cast<float>(counts[i]) * tau);
}

TEST_CASE("strom: quanta that cancel leave no entry") {
  std::vector<float> values = make_input("normal", 1000, 3);
  Subject mine = subject(values);
  for (float& value : values) value = -value;
  Subject other = subject(values);
  const auto sum = mine.merge(mine.encode(), other.encode());
  CHECK(sum.size() == kCountsHeaderBytes);
  CHECK(mine.decode(sum, 1000) == std::vector<float>(1000, 0.0F));
}

TEST_CASE("counts: every number of contributions round-trips, sparse and dense") {
  for (const std::uint32_t t : {1U, 2U, 3U, 4U, 7U, 8U, 127U, 128U, 32768U, 65535U}) {
    for (const std::size_t entries : {0, 1, 5, 900}) {
      SparseVector counts;
      counts.resize(entries);
      for (std::size_t i = 0; i < entries; ++i) {
        counts.indices()[i] = static_cast<std::uint32_t>(i + (entries < 900 ? 13 * i : 0));
        const auto size = static_cast<float>(1 + (i * 7919) % t);
        counts.values()[i] = i % 2 == 0 ? size : -size;
      }
      if (entries > 0) counts.values()[0] = -static_cast<float>(t);
      if (entries > 1) counts.values()[1] = static_cast<float>(t);
      for (const auto coder : {std::optional<IndexCoder>(), std::optional(IndexCoder::raw)}) {
        std::vector<std::byte> slot(max_counts_payload(1000));
        const Bytes payload = write_counts(counts, 1000, {t, 1.0F, 1.0F}, coder, slot);
        SparseVector back;
        read_counts(CountsPayload::parse(payload, 1000), back);
        CAPTURE(t);
        CAPTURE(entries);
        CHECK(std::ranges::equal(back.indices(), counts.indices()));
        CHECK(std::ranges::equal(back.values(), counts.values()));
      }
    }
  }
}

TEST_CASE("strom: one percent of the values takes about nine bits each") {
  constexpr std::size_t kCount = 1000000;
  std::vector<float> values(kCount, 0.0F);
  std::mt19937 random(4);
  for (std::size_t i = 0; i < kCount / 100; ++i) values[random() % kCount] = i % 2 == 0 ? 1.0F : -1.0F;
  const double entries = kCount - std::count(values.begin(), values.end(), 0.0F);
  const double bits = 8.0 * static_cast<double>(subject(values).encode().size()) / entries;
  CHECK(bits > 8.0);
  CHECK(bits < 9.3);
}

TEST_CASE("strom: tau is in the units of the input, for a mean too (B5)") {
  constexpr std::size_t kCount = 100;
  ThreadGroup group(4);
  run_ranks(4, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    const TensorHandle tensor = make_tensor(comm.get(), "t", {kCount}, "strom:tau=1");
    std::vector<float> data(kCount, 1.5F);
    ok(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), "allreduce");
    expect(data == std::vector<float>(kCount, 1.0F), "the mean of four quanta is ", data[0]);
    expect(residual_of(tensor.get(), kCount) == std::vector<float>(kCount, 0.5F), "half a quantum is left");
    data.assign(kCount, 0.25F);
    ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "allreduce");
    expect(data == std::vector<float>(kCount, 0.0F), "nothing exceeds the quantum yet");
    data.assign(kCount, 0.5F);
    ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "allreduce");
    expect(data == std::vector<float>(kCount, 4.0F), "what was left has added up");
  });
}

TEST_CASE("strom: payloads of different quanta, or of too many, are corrupt") {
  Subject half = subject({1.0F, 0.0F, 0.0F});
  Subject third = subject({1.0F, 0.0F, 0.0F}, "tau=0.3");
  CHECK_THROWS_WITH_AS(half.merge(half.encode(), third.encode()), doctest::Contains("quanta"), Error);
  std::vector<std::byte> slot(max_counts_payload(3));
  const Bytes many = write_counts({}, 3, {kMaxContributions, 0.5F, 0.5F}, {}, slot);
  CHECK_THROWS_WITH_AS(half.merge(half.encode(), many), doctest::Contains("65536 contributions"), Error);
  for (const char* options : {"tau=0", "tau=-1", "tau=1e31", "tau=nan", "indices=huffman", "ratio=0.1"}) {
    CAPTURE(options);
    CHECK_THROWS_AS(subject({1.0F}, options), Error);
  }
  CHECK(make_codec("strom", Shape{DType::float32, {100}}).error_feedback);
}

}  // namespace gossamer::test
