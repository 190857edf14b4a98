#include <cmath>

#include "tests/codec_probes.hpp"

/// What INCEPTIONN promises for each exponent.
namespace gossamer {
namespace {

float through(float value, const std::string& spec = "inceptionn") {
  Subject subject(spec, {value});
  return subject.decode(subject.encode(), 1)[0];
}

TEST_CASE("inceptionn: the error of what is sent is half the bound, of what is not its own size, below the bound") {
  INFO("seed 81");
  std::mt19937 random(81);
  for (const int bound : {2, 5, 10, 12}) {
    const std::string spec = sentence("inceptionn:bound=", bound);
    const double least = std::ldexp(1.0, -bound);
    std::uniform_real_distribution<double> exponent(-bound - 2.0, 2.0);
    std::vector<float> values;
    for (int i = 0; i < 5000; ++i) {
      const auto magnitude = static_cast<float>(std::exp2(exponent(random)));
      values.push_back(i % 2 == 0 ? magnitude : -magnitude);
    }
    Subject subject(spec, values);
    const std::vector<float> decoded = subject.decode(subject.encode(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = static_cast<double>(values[i]);
      const double error = std::abs(static_cast<double>(decoded[i]) - value);
      const double allowed = std::abs(value) < least ? std::abs(value) : std::abs(value) >= 1 ? 0.0 : least / 2;
      if (error > allowed) CHECK_MESSAGE(error <= allowed, spec << ": " << value << " came back as " << decoded[i]);
    }
  }
}

TEST_CASE("inceptionn: the leading bit of the 8-bit class is there (another implementation returns 0.0078 for this)") {
  CHECK(std::abs(through(0.00146F) - 0.00146F) <= 0x1p-11F);
}

TEST_CASE("inceptionn: edges of the classes, and mantissas that are rounded up to the next power of two") {
  for (const float value : {0x1p-10F, 0x1p-5F, 1.0F, -1.0F, 1.5F, 3e38F}) CHECK(through(value) == value);
  CHECK(through(std::nextafter(0x1p-10F, 0.0F)) == 0.0F);
  CHECK(through(std::nextafter(0x1p-5F, 0.0F)) == 0x1p-5F);
  CHECK(through(std::nextafter(1.0F, 0.0F)) == 1.0F);
  CHECK(through(0x1.fcp-7F) == 0x1p-6F);
}

TEST_CASE("inceptionn: bytes by class, two bits for each value besides") {
  const auto size = [](std::vector<float> values) {
    Subject subject("inceptionn", std::move(values));
    return subject.encode().size();
  };
  constexpr std::size_t kHeader = 8 + 4;
  CHECK(size(std::vector<float>(400, 0.0F)) == kHeader + 100);
  CHECK(size(std::vector<float>(400, 0x1p-8F)) == kHeader + 100 + 400);
  CHECK(size(std::vector<float>(400, 0.3F)) == kHeader + 100 + 800);
  CHECK(size(std::vector<float>(400, -2.0F)) == kHeader + 100 + 1600);
}

TEST_CASE("inceptionn: the bound is in the units of the caller's input, also in a mean") {
  Subject subject("inceptionn", std::vector<float>{0x1p-11F, 0x1p-9F});
  StepContext context;
  context.input_scale = 0.25F;
  subject.codec().begin(chunk_of(subject.values()), context);
  const std::vector<float> decoded = subject.decode(subject.encode(), 2);
  CHECK(decoded == std::vector<float>{0x1p-11F, 0x1p-9F});
}

TEST_CASE("inceptionn: impossible units and values are corrupt, impossible bounds refused") {
  Subject subject("inceptionn", {2.0F});
  const std::vector<std::byte> good = subject.encode();
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    CHECK(status_of_decode(subject, with_bytes(good, 8, bad)) == Status::corrupt);
    CHECK(status_of_decode(subject, with_bytes(good, 13, bad)) == Status::corrupt);
  }
  CHECK(status_of_decode(subject, with_bytes(good, 8, 0.0F)) == Status::corrupt);
  check_refused({"inceptionn:bound=1", "inceptionn:bound=13"});
}

}  // namespace
}  // namespace gossamer
