#include <algorithm>
#include <cmath>

#include "compress/dynamic_tree.hpp"
#include "compress/int8_scale.hpp"
#include "tests/codec_probes.hpp"
#include "tests/every_target.hpp"

/// The dynamic tree of 8-bit codes, against its definition.
namespace gossamer {
namespace {

/// All magnitudes, ascending, from the definition: 10^-e times 2^(6-e) equal steps from 0.1 (left out) to 1.
std::vector<double> magnitudes() {
  std::vector<double> values = {0.0};
  for (int e = 6; e >= 0; --e) {
    const int steps = 1 << (6 - e);
    for (int j = 1; j <= steps; ++j) values.push_back(std::pow(10.0, -e) * (0.1 + 0.9 * j / steps));
  }
  return values;
}

std::vector<float> through(std::vector<float> values, const std::string& spec = "dettmers8") {
  Subject subject(spec, std::move(values));
  return subject.decode(subject.encode(), subject.values().size());
}

TEST_CASE("dettmers8: every value of the tree comes back as it is, the largest too (B9)") {
  const std::vector<double> all = magnitudes();
  REQUIRE(all.size() == 128);
  std::vector<float> values;
  for (const double magnitude : all) values.push_back(static_cast<float>(magnitude));
  for (const double magnitude : all) values.push_back(-static_cast<float>(magnitude));
  CHECK(through(values) == values);
  for (const float largest : {1.0F, 3.4e38F, 1e-45F, -7.5F})
    CHECK(through({largest, 0.0F}) == std::vector{largest, 0.0F});
}

TEST_CASE("dettmers8: values go to the nearest of the tree") {
  INFO("seed 71");
  const std::vector<double> all = magnitudes();
  std::mt19937 random(71);
  std::uniform_real_distribution<double> exponent(-7.5, 0.0);
  std::vector<float> values = {1.0F};
  for (int i = 0; i < 20000; ++i) values.push_back(static_cast<float>(std::pow(10.0, exponent(random))));
  const std::vector<float> decoded = through(values, "dettmers8:block=1048576");
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double nearest = 2;
    const auto value = static_cast<double>(values[i]);
    for (const double magnitude : all) nearest = std::min(nearest, std::abs(magnitude - value));
    const double allowed = nearest + value * 0x1p-23;  // codes and values are floats
    wrong += std::abs(static_cast<double>(decoded[i]) - value) > allowed ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("dettmers8: a byte for each value and a float for each block") {
  Subject subject("dettmers8:block=100", make_input("normal", 1000, 72));
  CHECK(subject.encode().size() == 12 + 10 * 4 + 1000);
}

TEST_CASE("dettmers8: impossible scales are corrupt, impossible blocks refused") {
  Subject subject("dettmers8", {1.0F, -0.5F});
  for (const float scale : {-1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    CHECK(status_of_decode(subject, with_bytes(subject.encode(), 12, scale)) == Status::corrupt);
  }
  check_refused({"dettmers8:block=0", "dettmers8:block=1048577"});
}

/// The least of the lines, rounded to nearest.
std::uint8_t code_of(float value, float largest) {
  const Int8Scale steps = int8_steps(largest);
  const float magnitude = std::abs(value * steps.lift * steps.inverse);
  float code = 127.0F;
  for (const dynamic_tree::Line& line : dynamic_tree::kLines) {
    code = std::min(code, (std::min(magnitude, 1.0F) + line.offset) * line.slope);
  }
  return static_cast<std::uint8_t>(std::nearbyint(code) + (std::signbit(value) ? 128.0F : 0.0F));
}

TEST_CASE("dettmers8 kernels: codes and what they stand for equal the scalar twin") {
  on_every_target([] {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{17}, std::size_t{1009}}) {
      for (const float scale : {1.0F, 1e-44F, 1e-38F, 1e37F}) {
        INFO(count, " values of ", scale, ", seed 73");
        std::vector<float> values = make_input("normal", count, 73);
        float largest = 0.0F;
        for (float& value : values) largest = std::max(largest, std::abs(value *= scale));
        std::vector<std::uint8_t> codes(count);
        dynamic_tree::encode(values, largest, codes.data());
        std::vector<float> out = make_input("normal", count, 74);
        const std::vector<float> before = out;
        dynamic_tree::add(codes.data(), largest, -1.0F, out);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < count; ++i) {
          wrong += codes[i] == code_of(values[i], largest) ? 0 : 1;
          wrong += out[i] == before[i] - dynamic_tree::kValues[codes[i]] * largest ? 0 : 1;
        }
        CHECK(wrong == 0);
      }
    }
  });
}

}  // namespace
}  // namespace gossamer
