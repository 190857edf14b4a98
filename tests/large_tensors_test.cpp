#include <doctest/doctest.h>

#include "tests/codec_cases.hpp"

// Beyond 2^24 elements, where a float can no longer count (B6): every codec, at once in one chunk.
namespace gossamer {
namespace {

constexpr std::size_t kTurn = std::size_t{1} << 24;
constexpr std::size_t kSpikes = 64;

/// Small noise, and at the end, where indices do not fit a float, large values at odd places and at even ones.
std::vector<float> spiked(std::size_t count) {
  std::mt19937 random(24);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random() % 2001) * 1e-6F - 1e-3F;
  for (std::size_t i = 0; i < kSpikes; ++i) {
    const float size = 1.0F + static_cast<float>(random() % 1000) / 1000;
    values[count - 1 - (i + 3 * (i / 3))] = i % 2 == 0 ? size : -size;
  }
  return values;
}

/// The first spec of each codec.
template <typename Case>
std::vector<Case> one_each(const std::vector<Case>& cases) {
  std::vector<Case> chosen;
  for (const Case& each : cases) {
    const auto same = [&](const Case& other) { return Spec::parse(other.spec).name == Spec::parse(each.spec).name; };
    if (std::ranges::none_of(chosen, same)) chosen.push_back(each);
  }
  return chosen;
}

TEST_CASE("codec: 2^24 + 3 elements obey the codec's error bound, each at its own index (B6)") {
  const std::vector<float> values = spiked(kTurn + 3);
  for (const CodecCase& codec : one_each(codec_cases())) {
    INFO("codec ", codec.spec, ", seed 24");
    Subject subject(codec.spec, values);
    CHECK(codec.bound(values, 0, subject.decode(subject.encode(), values.size())) == "");
  }
}

TEST_CASE("linear codec: more than 2^24 elements obey the codec's error bound, each at its own index (B6)") {
  const Shape shape{DType::float32, {4097, 4099}};
  std::vector<float> values = spiked(shape.count());
  double norm = 0.0;
  for (const float value : values) norm += static_cast<double>(value) * static_cast<double>(value);
  for (const LinearCase& linear : one_each(linear_cases())) {
    INFO(linear.spec, ", seed 24");
    const std::unique_ptr<TensorCodec> owner = make_codec(linear.spec, shape).codec;
    auto& codec = dynamic_cast<LinearCodec&>(*owner);
    StepContext context;
    context.shared = context.own = {42, 1, 0};
    codec.begin(chunk_of(values), context);
    double allowed = linear.relative_error;
    if (Learner* learner = learner_of(codec); learner != nullptr) {
      learner->learn(values);
      allowed = 1.0001;  // then it projects
      context.shared.call = context.own.call = 2;
      codec.begin(chunk_of(values), context);
      REQUIRE(learner_of(codec) == nullptr);
    }
    for (int round = 0; round < codec.rounds(); ++round) {
      if (!runs(codec, round)) continue;
      std::vector<float> vector(codec.round_count(round));
      codec.project(round, 0, vector);
      codec.absorb(round, vector);
    }
    std::vector<float> decoded(values.size());
    codec.reconstruct(0, decoded);
    double error = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      error += std::pow(static_cast<double>(values[i]) - static_cast<double>(decoded[i]), 2);
    }
    CHECK(std::sqrt(error) <= allowed * std::sqrt(norm));
  }
}

}  // namespace
}  // namespace gossamer
