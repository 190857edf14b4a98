// gtopk and oktopk: what reaches all ranks is bounded by the share, and nothing is lost on the way.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

struct Outcome {
  std::vector<float> result;
  std::vector<std::vector<float>> residuals;  // by rank
  std::uint64_t most_sent = 0;                // bytes, by any rank in the last call
};

Outcome summed(const std::string& config, const std::string& codec, std::vector<std::vector<float>> inputs,
               int calls = 1) {
  const auto n = static_cast<int>(inputs.size());
  Outcome outcome;
  outcome.residuals.resize(inputs.size());
  std::vector<std::uint64_t> sent(inputs.size());
  ThreadGroup group(n);
  run_ranks(n, [&](int rank) {
    const auto me = static_cast<std::size_t>(rank);
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 " + config);
    const TensorHandle tensor = make_tensor(comm.get(), "t", {inputs[me].size()}, codec);
    std::vector<float> data;
    for (int call = 0; call < calls; ++call) {
      goss_stats before{};
      before.struct_size = sizeof before;
      ok(goss_tensor_stats(tensor.get(), &before), "stats");
      data = inputs[me];
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "allreduce");
      goss_stats after = before;
      ok(goss_tensor_stats(tensor.get(), &after), "stats");
      sent[me] = after.bytes_sent - before.bytes_sent;
    }
    outcome.residuals[me] = residual_of(tensor.get(), data.size());
    if (rank == 0) outcome.result = data;
  });
  outcome.most_sent = *std::max_element(sent.begin(), sent.end());
  return outcome;
}

double total(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

TEST_CASE("gtopk keeps the mass that a merge drops though another branch delivers the index (B7)") {
  // Elements a, b, c, d. Of ranks 2 and 3 the two largest are c = 6 and d = 5, so that a = 1 is dropped, and a of ranks
  // 0 and 1 is in the final set {a, b}. Whoever keeps as residual what is not in the final set loses that 1 of 42.
  std::vector<std::vector<float>> inputs(4, std::vector<float>(16, 0.0F));
  inputs[0][0] = 10;
  inputs[0][1] = 9;
  inputs[1][0] = 6;
  inputs[1][1] = 5;
  inputs[2][2] = 6;
  inputs[2][3] = 4;
  inputs[3][0] = 1;
  inputs[3][3] = 1;
  for (const char* topology : {"ring", "hypercube", "complete", "torus:2x2"}) {
    for (const char* codec : {"gtopk:ratio=0.5", "oktopk:ratio=0.5"}) {
      const Outcome outcome = summed(sentence("topology=", topology), codec, inputs);
      double kept = 0;
      for (const auto& residual : outcome.residuals) kept += total(residual);
      CAPTURE(topology);
      CAPTURE(codec);
      CHECK(total(outcome.result) + kept == 42.0);
      CHECK(std::count_if(outcome.result.begin(), outcome.result.begin() + 4, [](float x) { return x != 0; }) == 2);
    }
  }
}

TEST_CASE("gtopk and oktopk deliver no more than their share of each part") {
  constexpr std::size_t kCount = 40000;
  for (const int n : {2, 3, 4, 7}) {
    std::vector<std::vector<float>> inputs;
    for (int rank = 0; rank < n; ++rank) inputs.push_back(normal_values(9, rank, 0, kCount));
    for (const char* codec : {"gtopk:ratio=0.01", "oktopk:ratio=0.01"}) {
      const Outcome outcome = summed("topology=ring", codec, inputs);
      const auto kept = kCount - static_cast<std::size_t>(std::count(outcome.result.begin(), outcome.result.end(), 0));
      CAPTURE(n);
      CAPTURE(codec);
      CHECK(kept > 0);
      CHECK(kept <= 400 + 20);  // each part rounds its share
    }
  }
}

TEST_CASE("oktopk sends less than 6k(n-1)/n elements where every rank sends to every other") {
  constexpr std::size_t kCount = 200000;
  constexpr double kShare = 0.01;
  for (const int n : {2, 4, 8}) {
    std::vector<std::vector<float>> inputs;
    for (int rank = 0; rank < n; ++rank) inputs.push_back(normal_values(11, rank, 0, kCount));
    const Outcome outcome = summed("topology=complete", "oktopk:ratio=0.01,indices=raw", inputs, 3);
    const double bound = 6 * kShare * kCount * (n - 1) / n * 4;
    INFO("n = ", n, ": ", outcome.most_sent, " bytes of ", bound, " allowed");
    CHECK(static_cast<double>(outcome.most_sent) < bound);
  }
}

TEST_CASE("oktopk finds its threshold anew after `period` calls, or when it keeps too few or too many") {
  constexpr std::size_t kCount = 10000;
  constexpr std::size_t kShare = 100;
  std::vector<float> values = make_input("normal", kCount, 12);
  const auto kept_in_call = [&](Subject& subject, float scale, std::uint32_t call) {
    for (std::size_t i = 0; i < kCount; ++i) subject.values()[i] = values[i] * scale;
    subject.begin(0, call);
    const std::vector<float> out = subject.decode(subject.encode(), kCount);
    return kCount - static_cast<std::size_t>(std::count(out.begin(), out.end(), 0.0F));
  };
  Subject subject("oktopk:ratio=0.01,period=3", values);  // its first call
  const std::size_t more = kept_in_call(subject, 1.02F, 2);
  CHECK(more > kShare);
  CHECK(more <= 5 * kShare / 4);
  CHECK(kept_in_call(subject, 1.02F, 3) == more);
  CHECK(kept_in_call(subject, 1.02F, 4) == kShare);  // the period is over
  CHECK(kept_in_call(subject, 2.0F, 5) == kShare);   // too many would have been kept
  CHECK(kept_in_call(subject, 0.5F, 6) == kShare);   // too few
  CHECK(kept_in_call(subject, 0.0F, 7) == 0);
  CHECK(kept_in_call(subject, 1.0F, 8) == kShare);
}

TEST_CASE("oktopk: saved state holds the threshold") {
  constexpr std::size_t kCount = 10000;
  std::vector<float> values = make_input("normal", kCount, 13);
  Subject first("oktopk:ratio=0.01", values);
  Subject second("oktopk:ratio=0.01", make_input("normal", kCount, 14));
  std::ranges::copy(first.codec().state(), second.codec().state().begin());
  for (Subject* subject : {&first, &second}) {
    for (std::size_t i = 0; i < kCount; ++i) subject->values()[i] = values[i] * 0.99F;
    subject->begin(0, 2);
  }
  CHECK(first.encode() == second.encode());
  CHECK(second.codec().state()[1] == 2.0F);
  second.codec().reset();
  CHECK(second.codec().state()[1] == 0.0F);
}

TEST_CASE("gtopk and oktopk refuse what they do not know") {
  for (const char* spec : {"gtopk:ratio=0", "gtopk:merge=union", "gtopk:k=3", "oktopk:ratio=2", "oktopk:period=0",
                           "oktopk:period=1.5", "oktopk:merge=reselect"}) {
    CAPTURE(spec);
    CHECK_THROWS_AS(make_codec(spec, Shape{DType::float32, {100}}), Error);
  }
}

}  // namespace gossamer::test
