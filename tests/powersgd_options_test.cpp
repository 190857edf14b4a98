#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compress/codec.hpp"
#include "lib/base/error.hpp"

using namespace gossamer;

namespace {

Shape matrix_shape(std::size_t rows, std::size_t cols) {
  return {DType::float32, {rows, cols}};
}

std::unique_ptr<LinearCodec> make_linear(const std::string& spec, const Shape& shape) {
  std::unique_ptr<TensorCodec> codec = make_codec(spec, shape).codec;
  REQUIRE(dynamic_cast<LinearCodec*>(codec.get()) != nullptr);
  return std::unique_ptr<LinearCodec>(static_cast<LinearCodec*>(codec.release()));
}

}  // namespace

TEST_CASE("the factors of ResNet-18 for CIFAR have the sizes that the paper's ratios come from") {
  std::vector<std::vector<std::size_t>> shapes = {{64, 3, 3, 3}, {10, 512}, {10}};
  const auto batch_norm = [&](std::size_t channels) { shapes.insert(shapes.end(), 2, {channels}); };
  batch_norm(64);
  std::size_t before = 64;
  for (const std::size_t channels : {64, 128, 256, 512}) {
    for (int convolution = 0; convolution < 4; ++convolution) {
      shapes.push_back({channels, convolution == 0 ? before : channels, 3, 3});
      batch_norm(channels);
    }
    if (channels != before) {
      shapes.push_back({channels, before, 1, 1});
      batch_norm(channels);
    }
    before = channels;
  }
  const std::pair<int, double> published[] = {{1, 243.26}, {2, 135.84}, {4, 72.13}};
  for (const auto& [rank, ratio] : published) {
    CAPTURE(rank);
    double dense = 0;
    double sent = 0;
    for (const auto& dims : shapes) {
      const Shape shape{DType::float32, dims};
      const CodecChoice choice = make_codec("powersgd:rank=" + std::to_string(rank), shape);
      const auto* codec = dynamic_cast<const LinearCodec*>(choice.codec.get());
      CHECK((codec != nullptr) == (dims.size() > 1));
      dense += static_cast<double>(shape.count());
      sent += static_cast<double>(codec == nullptr ? shape.count() : codec->round_count(0) + codec->round_count(1));
    }
    CHECK(dense == 11173962);
    CHECK(dense / sent == doctest::Approx(ratio).epsilon(1e-4));
  }
}

TEST_CASE("options: what each spec means") {
  const Shape shape{DType::float32, {6, 3, 5}};
  CHECK(make_codec("powersgd:rank=2", shape).error_feedback);
  CHECK_FALSE(make_codec("powersgd:rank=2,ef=off", shape).error_feedback);
  CHECK(make_linear("powersgd:rank=2", shape)->wire() == "identity");
  CHECK(make_linear("powersgd:rank=2,wire=fp16", shape)->wire() == "fp16");
  CHECK(make_linear("powersgd:rank=2,wire=bf16", shape)->wire() == "bf16");
  CHECK(make_linear("powersgd:rank=2", shape)->state().size() == 2 * 15);
  CHECK(make_linear("powersgd:rank=2,start=fresh", shape)->state().empty());
  CHECK(make_linear("powersgd:rank=6", shape)->round_count(0) == 6 * 6);
  CHECK(make_linear("powersgd:rank=6", shape)->round_count(1) == 15 * 6);
}

TEST_CASE("options: a rank that the matrix does not have is refused, naming it, the matrix and the valid ones") {
  for (const std::string rank : {"0", "-1", "7", "1000000", "four"}) {
    CAPTURE(rank);
    try {
      make_codec("powersgd:rank=" + rank, {DType::float32, {6, 3, 5}});
      FAIL("accepted");
    } catch (const Error& error) {
      const std::string text = error.what();
      CAPTURE(text);
      CHECK(error.status() == Status::argument);
      CHECK(text.find("rank=" + rank) != std::string::npos);
      CHECK(text.find("6 x 15") != std::string::npos);
      CHECK(text.find("from 1 to 6") != std::string::npos);
    }
  }
  CHECK_THROWS_AS(make_codec("powersgd:rank=2,wire=fp8", matrix_shape(6, 6)), Error);
  CHECK_THROWS_AS(make_codec("powersgd:rank=2,start=cold", matrix_shape(6, 6)), Error);
}

TEST_CASE("options: tensors that go through uncompressed have the spec checked, but not against their size") {
  const Shape bias{DType::float32, {5000}};
  CHECK(make_codec("powersgd:rank=4", bias).spec == "identity");
  CHECK(make_codec("powersgd:rank=4", matrix_shape(2, 3), 1024).spec == "identity");
  CHECK_THROWS_AS(make_codec("powersgd:rank=0", bias), Error);
  CHECK_THROWS_AS(make_codec("powersgd:rank=0", matrix_shape(2, 3), 1024), Error);
  CHECK_THROWS_AS(make_codec("powersgd:wire=fp8", bias), Error);
}

TEST_CASE("an empty matrix has empty rounds") {
  for (const Shape& shape : {matrix_shape(0, 5), matrix_shape(5, 0), matrix_shape(0, 0)}) {
    const std::unique_ptr<LinearCodec> codec = make_linear("powersgd:rank=2", shape);
    codec->begin({nullptr, 0, 0}, StepContext{});
    for (int round = 0; round < codec->rounds(); ++round) {
      CHECK(codec->round_count(round) == 0);
      codec->project(round, 0, {});
      codec->absorb(round, {});
    }
    codec->reconstruct(0, {});
  }
}
