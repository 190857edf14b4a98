#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "tests/codec_cases.hpp"

namespace gossamer {
namespace {

TEST_CASE("int8: stochastic rounding is unbiased, with at most a quarter step squared of variance") {
  constexpr int kDraws = 20000;
  const std::vector<float> values = make_input("normal", 64, 3);
  Subject subject("int8:rounding=stochastic", values);
  std::vector<double> mean(values.size(), 0.0);
  double step = 0.0;
  for (const float value : values) step = std::max(step, std::abs(static_cast<double>(value)) / 127.0);
  for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
    subject.begin(0, draw);
    const std::vector<float> decoded = subject.decode(subject.encode(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) mean[i] += static_cast<double>(decoded[i]) / kDraws;
  }
  double worst_z = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(mean[i] - static_cast<double>(values[i]));
    // The variance of rounding between two steps is at most step² / 4.
    worst_z = std::max(worst_z, error / (0.5 * step / std::sqrt(kDraws)));
  }
  CHECK(worst_z < 4.5);
}

TEST_CASE("int8: stochastic rounding differs between ranks and calls, nearest does not") {
  const std::vector<float> values = make_input("normal", 1009, 4);
  Subject stochastic("int8:rounding=stochastic", values);
  const auto first = stochastic.encode();
  stochastic.begin(1);
  CHECK(stochastic.encode() != first);
  stochastic.begin(0, 2);
  CHECK(stochastic.encode() != first);
  Subject nearest("int8", values);
  const auto fixed = nearest.encode();
  nearest.begin(1, 2);
  CHECK(nearest.encode() == fixed);
}

TEST_CASE("int8: the largest and the smallest floats survive") {
  const float largest = std::numeric_limits<float>::max();
  const float smallest = std::numeric_limits<float>::denorm_min();
  for (const std::string spec : {"int8", "int8:rounding=stochastic"}) {
    INFO(spec);
    Subject big(spec, {largest, -largest, 0.0F});
    const std::vector<float> decoded = big.decode(big.encode(), 3);
    for (const float value : decoded) CHECK(std::isfinite(value));
    CHECK(static_cast<double>(decoded[0]) == doctest::Approx(static_cast<double>(largest)).epsilon(1e-6));
    CHECK(static_cast<double>(decoded[1]) == doctest::Approx(-static_cast<double>(largest)).epsilon(1e-6));
    Subject small(spec, {smallest, -smallest, 0.0F, 3 * smallest});
    CHECK(small.decode(small.encode(), 4) == small.values());
  }
}

TEST_CASE("int8: a block with a value that is not finite comes back as NaN, the others as they were") {
  std::vector<float> values = make_input("normal", 512, 5);
  values[300] = std::numeric_limits<float>::infinity();
  Subject subject("int8", values);
  const std::vector<float> decoded = subject.decode(subject.encode(), 512);
  for (std::size_t i = 0; i < 256; ++i) CHECK(std::isfinite(decoded[i]));
  for (std::size_t i = 256; i < 512; ++i) CHECK(std::isnan(decoded[i]));
}

TEST_CASE("int8: negative and infinite scales, and blocks of nothing, are corrupt") {
  Subject subject("int8", make_input("normal", 70, 6));
  const std::vector<std::byte> good = subject.encode();
  const auto status_with = [&](std::size_t at, auto value) {
    std::vector<std::byte> bad = good;
    std::memcpy(bad.data() + at, &value, sizeof(value));
    try {
      static_cast<void>(subject.decode(bad, 70));
      return Status::ok;
    } catch (const Error& error) {
      return error.status();
    }
  };
  CHECK(status_with(12, 1.0F) == Status::ok);
  CHECK(status_with(12, -1.0F) == Status::corrupt);
  CHECK(status_with(12, std::numeric_limits<float>::infinity()) == Status::corrupt);
  CHECK(status_with(8, std::uint32_t{0}) == Status::corrupt);
  CHECK(status_with(8, std::uint32_t{1}) == Status::corrupt);
}

TEST_CASE("int8: payload sizes are one byte a value and one float a block") {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{256}, std::size_t{257}}) {
    Subject subject("int8", make_input("normal", count, 7));
    CHECK(subject.encode().size() == 12 + count + 4 * ((count + 255) / 256));
  }
}

TEST_CASE("int8: block and rounding outside their range are refused by name") {
  for (const std::string bad : {"int8:block=0", "int8:block=1048577", "int8:block=x", "int8:rounding=up"}) {
    INFO(bad);
    try {
      make_codec(bad, Shape{DType::float32, {64}});
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::argument);
      CHECK(std::string(error.what()).find(bad.substr(bad.find('=') + 1)) != std::string::npos);
    }
  }
}

TEST_CASE("casts: payload sizes are two bytes a value") {
  for (const std::string spec : {"fp16", "bf16"}) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{1009}}) {
      Subject subject(spec, make_input("normal", count, 7));
      CHECK(subject.encode().size() == 8 + 2 * count);
    }
  }
}

TEST_CASE("casts: finite values never become infinite") {
  const float largest = std::numeric_limits<float>::max();
  Subject fp16("fp16", {largest, -largest, 65519.9F, 65520.0F});
  CHECK(fp16.decode(fp16.encode(), 4) == std::vector<float>{65504.0F, -65504.0F, 65504.0F, 65504.0F});
  Subject bf16("bf16", {largest, -largest});
  CHECK(bf16.decode(bf16.encode(), 2) == std::vector<float>{0x1.FEp127F, -0x1.FEp127F});
}

}  // namespace
}  // namespace gossamer
