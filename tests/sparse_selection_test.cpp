#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "compress/sparse_payload.hpp"
#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

/// What selections by threshold promise: bounds on what is kept back, and how far a sample may lead them astray.
namespace gossamer {
namespace {

std::unique_ptr<Codec> make_codec_for(const std::string& spec, std::size_t count) {
  auto codec = make_codec(spec, Shape{DType::float32, {count}}).codec;
  return std::unique_ptr<Codec>(dynamic_cast<Codec*>(codec.release()));
}

/// The payload of `values` under a mean over `ranks`, of which they are already the share.
std::vector<std::byte> encode(Codec& codec, std::vector<float>& values, int ranks = 1) {
  StepContext context;
  context.ranks = ranks;
  context.input_scale = 1.0F / static_cast<float>(ranks);
  codec.begin(chunk_of(values), context);
  std::vector<std::byte> slot(codec.max_payload(values.size()));
  const Bytes payload = codec.encode(chunk_of(values), slot);
  return {payload.begin(), payload.end()};
}

std::size_t entries_of(const std::vector<std::byte>& payload, std::size_t count) {
  return SparsePayload::parse(payload, count).entries;
}

}  // namespace

TEST_CASE("threshold keeps back at most v of a value, in the units of the input, under a sum and under a mean (B5)") {
  for (const char* merge : {"union", "reselect"}) {
    for (const int ranks : {1, 4}) {
      INFO("merge=", std::string(merge), ", ", ranks, " ranks, seed 3");
      std::vector<float> values = make_input("normal", 20011, 3);
      for (float& value : values) value /= static_cast<float>(ranks);
      const auto codec = make_codec_for(sentence("threshold:v=0.7,merge=", merge), values.size());
      const std::vector<std::byte> payload = encode(*codec, values, ranks);
      std::size_t beyond = 0;
      const float bound = 0.7F / static_cast<float>(ranks);
      for (const float value : values) beyond += std::abs(value) > bound;
      CHECK(entries_of(payload, values.size()) == beyond);
      codec->accumulate(payload, -1, chunk_of(values));
      float kept_back = 0.0F;
      for (const float value : values) kept_back = std::max(kept_back, std::abs(value) * static_cast<float>(ranks));
      CHECK(kept_back <= 0.7F);
    }
  }
}

TEST_CASE("threshold sends a bare header when nothing is beyond it, and ranks with nothing to send do not hang (B11)") {
  std::vector<float> values = make_input("normal", 5000, 4);
  const auto codec = make_codec_for("threshold:v=100", values.size());
  CHECK(encode(*codec, values).size() == kSparseHeaderBytes);
  for (const std::string topology : {"ring", "hypercube"}) {
    test::ThreadGroup group(3);
    test::run_ranks(3, [&](int rank) {
      const test::CommHandle comm =
          test::make_comm(group, rank, "transport=inproc min_compress=0 topology=" + topology);
      const test::TensorHandle tensor = test::make_tensor(comm.get(), "w", {5000}, "threshold:v=100");
      std::vector<float> data(5000, 60.0F * static_cast<float>(rank));  // rank 2 alone is beyond
      const std::vector<float> input = data;
      test::ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "allreduce");
      const std::vector<float> residual = test::residual_of(tensor.get(), data.size());
      for (std::size_t i = 0; i < data.size(); ++i) {
        test::expect(data[i] == 120.0F, "element ", i, " is ", data[i]);
        test::expect(residual[i] == (rank == 2 ? 0.0F : input[i]), "residual ", i, " is ", residual[i]);
      }
    });
  }
}

TEST_CASE("aji keeps the share it was told, within the error of its sample") {
  constexpr std::size_t kCount = 200000;
  constexpr int kDraws = 60;
  for (const double sample : {0.01, 0.1}) {
    INFO("sample ", sample, ", seeds 1000 + draw");
    const auto codec = make_codec_for(sentence("aji:ratio=0.02,sample=", sample), kCount);
    double sum = 0.0;
    double squares = 0.0;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<float> values = make_input("normal", kCount, 1000 + static_cast<std::uint32_t>(draw));
      const double kept = static_cast<double>(entries_of(encode(*codec, values), kCount)) / (0.02 * kCount);
      sum += kept;
      squares += (kept - 1) * (kept - 1);
    }
    // Relative deviation of the kept share for m sampled values: sqrt((1 - rho) / (rho m)). The mean of 60 draws is
    // within 4.5 of its own deviations; their mean square, of chi-square law, within 2.2 times of its expectation.
    const double deviation = std::sqrt((1 - 0.02) / (0.02 * sample * kCount));
    CHECK(std::abs(sum / kDraws - 1) < 4.5 * deviation / std::sqrt(kDraws));
    CHECK(squares / kDraws < 2.2 * deviation * deviation);
    CHECK(squares / kDraws > deviation * deviation / 2.2);
  }
}

TEST_CASE("aji keeps all of a tensor whose magnitudes are equal, rather than nothing for ever") {
  std::vector<float> values(10007);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 0.25F : -0.25F;
  const auto codec = make_codec_for("aji:ratio=0.01", values.size());
  CHECK(entries_of(encode(*codec, values), values.size()) == values.size());
}

TEST_CASE("selections by threshold refuse options out of range") {
  const Shape shape{DType::float32, {100}};
  for (const char* spec : {"threshold:v=-1", "threshold:v=nan", "threshold:v=1e39", "threshold:ratio=0.1",
                           "aji:ratio=0", "aji:ratio=1.5", "aji:sample=0", "aji:sample=2", "aji:merge=sum"}) {
    INFO(std::string(spec));
    CHECK_THROWS_AS(make_codec(spec, shape), Error);
  }
}

}  // namespace gossamer
