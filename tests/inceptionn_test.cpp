#include <cmath>

#include "compress/by_exponent.hpp"
#include "tests/codec_probes.hpp"
#include "tests/every_target.hpp"

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

TEST_CASE("inceptionn kernels: bytes and their decoding equal the reference") {
  on_every_target([] {
    for (const std::string_view pattern : kPatterns) {
      for (const std::size_t count : {0, 1, 5, 64, 3001}) {
        for (const float unit : {1.0F, 0.3F}) {
          INFO("input '", std::string(pattern), "' of ", count, " values, unit ", unit, ", seed 82");
          const by_exponent::Rule rule(10);
          const std::vector<float> values = make_input(pattern, count, 82);
          std::vector<std::byte> tags(by_exponent::tag_bytes(count)), expected_tags(tags.size());
          std::vector<std::byte> bytes(4 * count), expected_bytes(4 * count);
          bytes.resize(by_exponent::encode(values, unit, rule, tags, bytes.data()));
          expected_bytes.resize(
              by_exponent::reference::encode(values, unit, rule, expected_tags, expected_bytes.data()));
          CHECK(tags == expected_tags);
          CHECK(bytes == expected_bytes);
          REQUIRE(by_exponent::value_bytes(tags, count) == bytes.size());
          std::vector<float> out(count, 0.5F), expected(count, 0.5F);
          CHECK(by_exponent::add({tags, bytes, unit}, rule, -1.0F, out));
          CHECK(by_exponent::reference::add({tags, bytes, unit}, rule, -1.0F, expected));
          CHECK(out == expected);
        }
      }
    }
  });
}

TEST_CASE("inceptionn kernels: one value that is not finite is seen wherever it stands") {
  on_every_target([] {
    const by_exponent::Rule rule(10);
    for (std::size_t at = 0; at < 150; ++at) {
      std::vector<float> values(150, 2.0F);
      values[at] = std::numeric_limits<float>::infinity();
      std::vector<std::byte> tags(by_exponent::tag_bytes(values.size())), bytes(4 * values.size());
      by_exponent::encode(values, 1.0F, rule, tags, bytes.data());
      INFO("at ", at);
      std::vector<float> out(values.size());
      CHECK_FALSE(by_exponent::add({tags, bytes, 1.0F}, rule, 1.0F, out));
    }
  });
}

}  // namespace
}  // namespace gossamer
