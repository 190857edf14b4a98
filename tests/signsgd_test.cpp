// The vote on signs: against counting, on the wire against the formula, and with ranks that lie.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer {
namespace {

using Payload = std::vector<std::byte>;

/// The vote of so many ranks' values, as their owner sends it.
Payload vote_of(std::vector<Subject>& ranks, std::size_t offset, std::size_t count) {
  Codec& codec = ranks[0].codec();
  Payload sum = ranks[0].encode(offset, count);
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    Payload slot(codec.max_payload(count));
    const Bytes merged = ranks[0].mergeable()->merge(sum, ranks[rank].encode(offset, count), count, slot);
    sum.assign(merged.begin(), merged.end());
  }
  Payload slot(codec.max_payload(count));
  const Bytes vote = dynamic_cast<Finisher&>(codec).finish(sum, Chunk{.count = count}, slot);
  return {vote.begin(), vote.end()};
}

std::vector<Subject> subjects(int ranks, std::size_t count) {
  std::vector<Subject> all;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto number = static_cast<std::uint32_t>(rank);
    all.emplace_back("signsgd", make_input("normal", count, 300 + number), number);
  }
  return all;
}

int positive(std::vector<Subject>& ranks, std::size_t element) {
  int count = 0;
  for (Subject& rank : ranks) count += rank.values()[element] >= 0 ? 1 : 0;
  return count;
}

TEST_CASE("signsgd: the vote is the majority, times the number of ranks") {
  for (int n = 1; n <= 9; ++n) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{64}, std::size_t{321}, std::size_t{2000}}) {
      INFO(n, " ranks, ", count, " values, seeds 300 + rank");
      std::vector<Subject> ranks = subjects(n, count);
      const std::vector<float> vote = ranks[0].decode(vote_of(ranks, 0, count), count);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const int balance = 2 * positive(ranks, i) - n;
        const float size = static_cast<float>(n);
        const bool allowed = balance == 0 ? std::abs(vote[i]) == size : vote[i] == (balance > 0 ? size : -size);
        wrong += allowed ? 0 : 1;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("signsgd: ties are tossed for, fairly, and by element, wherever the cuts are") {
  constexpr std::size_t kCount = 40000;
  std::vector<Subject> ranks = subjects(2, kCount);
  const std::vector<float> vote = ranks[0].decode(vote_of(ranks, 0, kCount), kCount);
  double ties = 0;
  double up = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (positive(ranks, i) != 1) continue;
    ties += 1;
    up += vote[i] > 0 ? 1 : 0;
  }
  INFO(up, " of ", ties, " ties are +");
  CHECK(std::abs(up - ties / 2) < 4.5 * std::sqrt(ties) / 2);

  for (const std::size_t offset : {std::size_t{1}, std::size_t{31}, std::size_t{64}, std::size_t{777}}) {
    constexpr std::size_t kPart = 1500;
    const std::vector<float> part = ranks[1].decode(vote_of(ranks, offset, kPart), kPart);
    CHECK(std::equal(part.begin(), part.end(), vote.begin() + static_cast<std::ptrdiff_t>(offset)));
  }
  // The next call tosses again: nothing drifts one way where ranks keep disagreeing.
  for (Subject& rank : ranks) rank.begin(0, 2);
  CHECK(ranks[0].decode(vote_of(ranks, 0, kCount), kCount) != vote);
}

TEST_CASE("signsgd: fewer than half of the ranks cannot turn a vote by sending the opposite") {
  constexpr std::size_t kCount = 1000;
  for (int n = 1; n <= 9; ++n) {
    const std::vector<float> truth = make_input("normal", kCount, 4);
    for (int liars = 0; 2 * liars < n; ++liars) {
      std::vector<Subject> ranks;
      for (int rank = 0; rank < n; ++rank) {
        std::vector<float> values = truth;
        for (float& value : values) value *= rank < liars ? -1.0F : 1.0F;
        ranks.emplace_back("signsgd", values, static_cast<std::uint32_t>(rank));
      }
      INFO(liars, " of ", n, " ranks lie");
      const std::vector<float> vote = ranks[0].decode(vote_of(ranks, 0, kCount), kCount);
      std::size_t turned = 0;
      for (std::size_t i = 0; i < kCount; ++i) turned += (vote[i] > 0) == (truth[i] > 0) ? 0 : 1;
      CHECK(turned == 0);
    }
  }
}

TEST_CASE("signsgd: both zeros count as +, a sign is one bit, and a count as many as it needs") {
  Subject zeros("signsgd", {0.0F, -0.0F, -1e-45F});
  CHECK(zeros.decode(zeros.encode(), 3) == std::vector<float>{1.0F, 1.0F, -1.0F});
  constexpr std::size_t kCount = 6400;
  Subject subject("signsgd", make_input("normal", kCount, 5));
  const Payload one = subject.encode();
  const std::size_t header = one.size() - kCount / 8;
  CHECK(header == 24);
  Payload sum = one;
  for (const std::size_t width : {2, 2, 3, 3, 3, 3, 4, 4}) {  // ceil(log2(t + 1)) for t = 2 … 9
    sum = subject.merge(sum, one);
    CHECK(sum.size() == header + kCount / 8 * width);
  }
}

TEST_CASE("signsgd: a mean of any number of ranks votes exactly ±1") {
  for (int n = 1; n <= 200; ++n) {
    const CodecChoice choice = make_codec("signsgd", Shape{DType::float32, {1}});
    auto& codec = dynamic_cast<MergeableCodec&>(*choice.codec);
    StepContext context;
    context.ranks = n;
    context.input_scale = static_cast<float>(1.0 / n);
    std::vector<float> value = {-3.0F};
    codec.begin(chunk_of(value), context);
    Payload sums[2] = {Payload(codec.max_payload(1)), Payload(codec.max_payload(1))};
    Payload own(codec.max_payload(1));
    const Bytes one = codec.encode(chunk_of(value), own);
    Bytes sum = one;
    for (int rank = 1; rank < n; ++rank) sum = codec.merge(sum, one, 1, sums[rank % 2]);
    Payload slot(codec.max_payload(1));
    std::vector<float> vote = {0.0F};
    codec.accumulate(dynamic_cast<Finisher&>(codec).finish(sum, Chunk{.count = 1}, slot), 1.0F, chunk_of(vote));
    INFO(n, " ranks");
    CHECK(vote[0] == -1.0F);
  }
}

TEST_CASE("signsgd: on a ring of 2^j ranks a value costs j bits each way, all steps together") {
  constexpr std::size_t kCount = 1 << 20;
  for (const int n : {2, 4, 8}) {
    test::ThreadGroup group(n);
    std::vector<double> bits(static_cast<std::size_t>(n));
    test::run_ranks(n, [&](int rank) {
      const test::CommHandle comm = test::make_comm(group, rank, "transport=inproc topology=ring");
      const test::TensorHandle tensor = test::make_tensor(comm.get(), "w", {kCount}, "signsgd");
      std::vector<float> data = test::normal_values(6, rank, 0, kCount);
      test::ok(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), "all-reduce");
      for (const float value : data) test::expect(std::abs(value) == 1.0F, "a vote of ", value);
      goss_stats stats{};
      stats.struct_size = sizeof stats;
      test::ok(goss_tensor_stats(tensor.get(), &stats), "goss_tensor_stats");
      bits[static_cast<std::size_t>(rank)] = 8.0 * static_cast<double>(stats.bytes_sent) / kCount;
    });
    for (const double each : bits) {
      INFO(n, " ranks: ", each, " bits a value");
      CHECK(each >= std::log2(n));
      CHECK(each <= 1.02 * std::log2(n));  // headers, and the agreement that precedes a call
    }
  }
}

TEST_CASE("signum: the vote is on the running mean, which is saved and can be forgotten") {
  constexpr std::size_t kCount = 100;
  const CodecChoice choice = make_codec("signum:momentum=0.75", Shape{DType::float32, {kCount}});
  auto& conditioner = dynamic_cast<Conditioner&>(*choice.codec);
  std::vector<double> mean(kCount, 0.0);
  for (std::uint32_t call = 0; call < 20; ++call) {
    std::vector<float> gradient = make_input("normal", kCount, call);
    for (std::size_t i = 0; i < kCount; ++i) mean[i] = 0.75 * mean[i] + 0.25 * static_cast<double>(gradient[i]);
    conditioner.condition(chunk_of(gradient), {});
    double worst = 0;
    for (std::size_t i = 0; i < kCount; ++i)
      worst = std::max(worst, std::abs(static_cast<double>(gradient[i]) - mean[i]));
    CHECK(worst < 1e-6);
    CHECK(std::ranges::equal(choice.codec->state(), gradient));
  }
  choice.codec->reset();
  std::vector<float> gradient = {4.0F};
  gradient.resize(kCount);
  conditioner.condition(chunk_of(gradient), {});
  CHECK(gradient[0] == 1.0F);
  CHECK(gradient[1] == 0.0F);
  CHECK_THROWS_WITH_AS(make_codec("signum:momentum=1", Shape{DType::float32, {kCount}}), doctest::Contains("momentum"),
                       Error);
}

}  // namespace
}  // namespace gossamer
