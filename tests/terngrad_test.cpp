#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "tests/codec_cases.hpp"

namespace gossamer {
namespace {

using Payload = std::vector<std::byte>;

constexpr std::size_t kHeader = 24;  // count, offset, contributions, form, scale

template <typename T>
void put(Payload& payload, std::size_t at, T value) {
  std::memcpy(payload.data() + at, &value, sizeof(value));
}

float scale_of(Subject& subject) {
  return dynamic_cast<SharedMaxima&>(subject.codec()).maxima()[0];
}

Status decode_status(Subject& subject, const Payload& payload) {
  try {
    static_cast<void>(subject.decode(payload, subject.values().size()));
    return Status::ok;
  } catch (const Error& error) {
    return error.status();
  }
}

Status merge_status(Subject& subject, const Payload& a, const Payload& b) {
  try {
    static_cast<void>(subject.merge(a, b));
    return Status::ok;
  } catch (const Error& error) {
    return error.status();
  }
}

TEST_CASE("terngrad: without clipping the codes are unbiased and have the variance of the paper") {
  constexpr int kDraws = 20000;
  const std::vector<float> values = make_input("normal", 64, 3);
  Subject subject("terngrad:clip=0", values);
  std::vector<double> mean(values.size(), 0.0);
  double errors = 0.0;
  double errors_squared = 0.0;
  for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
    subject.begin(0, draw);
    const std::vector<float> decoded = subject.decode(subject.encode(), values.size());
    double error = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      mean[i] += static_cast<double>(decoded[i]) / kDraws;
      error += std::pow(static_cast<double>(decoded[i]) - static_cast<double>(values[i]), 2);
    }
    errors += error / kDraws;
    errors_squared += error * error / kDraws;
  }
  const auto scale = static_cast<double>(scale_of(subject));
  double expected = 0.0;
  double worst_z = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double size = std::abs(static_cast<double>(values[i]));
    const double variance = size * (scale - size);
    expected += variance;
    if (variance == 0.0) CHECK(mean[i] == doctest::Approx(static_cast<double>(values[i])));
    if (variance > 0.0) {
      worst_z = std::max(worst_z, std::abs(mean[i] - static_cast<double>(values[i])) / std::sqrt(variance / kDraws));
    }
  }
  // 64 tests at 4.5 deviations: one false alarm in 2000 seeds; this one is fixed.
  CHECK(worst_z < 4.5);
  const double standard_error = std::sqrt((errors_squared - errors * errors) / kDraws);
  INFO("mean squared error ", errors, " ± ", standard_error, ", paper ", expected);
  CHECK(std::abs(errors - expected) < 4.5 * standard_error);
}

TEST_CASE("terngrad: the scale is the largest value, clipped at 2.5 standard deviations of the tensor") {
  const std::vector<float> values = make_input("normal", 100003, 4);
  double sum = 0.0;
  double squares = 0.0;
  for (const float value : values) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const double mean = sum / 100003;
  const double sigma = std::sqrt(squares / 100003 - mean * mean);
  Subject clipped("terngrad", values);
  CHECK(static_cast<double>(scale_of(clipped)) == doctest::Approx(2.5 * sigma).epsilon(1e-6));
  Subject unclipped("terngrad:clip=0", values);
  const auto largest = std::ranges::max(values, {}, [](float x) { return std::abs(x); });
  CHECK(scale_of(unclipped) == std::abs(largest));
}

TEST_CASE("terngrad: a tensor without deviation is sent, not clipped to nothing") {
  Subject subject("terngrad", std::vector<float>(70, -0.37F));
  for (const float value : subject.decode(subject.encode(), 70)) CHECK(value == -0.37F);
}

TEST_CASE("terngrad: ranks round independently of each other") {
  const std::vector<float> values(10000, 0.5F);
  std::vector<Subject> ranks;
  for (std::uint32_t rank = 0; rank < 2; ++rank) ranks.emplace_back("terngrad", values, rank);
  for (Subject& rank : ranks) dynamic_cast<SharedMaxima&>(rank.codec()).maxima()[0] = 1.0F;
  const std::vector<float> a = ranks[0].decode(ranks[0].encode(), values.size());
  const std::vector<float> b = ranks[1].decode(ranks[1].encode(), values.size());
  double both = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) both += a[i] == b[i] ? 1.0 : 0.0;
  // Fair coins agree in half of the places; the deviation of 10000 is 50.
  CHECK(std::abs(both - 5000.0) < 250.0);
}

TEST_CASE("terngrad: sums of any number of ranks are exact integers, whatever the order of merging") {
  for (const std::size_t count : {std::size_t{1}, std::size_t{64}, std::size_t{321}, std::size_t{1009}}) {
    std::vector<Subject> ranks;
    for (std::uint32_t rank = 0; rank < 9; ++rank) {
      ranks.emplace_back("terngrad", make_input("normal", count, 50 + rank), rank);
    }
    share_maxima(ranks);
    const double scale = static_cast<double>(scale_of(ranks[0]));
    std::vector<Payload> payloads;
    std::vector<double> codes(count, 0.0);
    for (Subject& rank : ranks) {
      payloads.push_back(rank.encode());
      const std::vector<float> decoded = rank.decode(payloads.back(), count);
      for (std::size_t i = 0; i < count; ++i) codes[i] += scale == 0.0 ? 0.0 : static_cast<double>(decoded[i]) / scale;
    }
    Payload left = payloads[0];
    for (std::size_t rank = 1; rank < 9; ++rank) left = ranks[0].merge(left, payloads[rank]);
    Payload right = payloads[8];
    for (std::size_t rank = 8; rank-- > 0;) right = ranks[0].merge(payloads[rank], right);
    INFO(count, " values");
    CHECK(left == right);
    const std::vector<float> sum = ranks[0].decode(left, count);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
      wrong += sum[i] == static_cast<float>(codes[i]) * static_cast<float>(scale) ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("terngrad: one contribution takes 1.6 bits a value, sums as many as their range needs") {
  Subject subject("terngrad", make_input("normal", 6400, 5));
  Payload sum = subject.encode();
  const Payload one = sum;
  CHECK(one.size() == kHeader + 6400 / 5);
  const unsigned widths[] = {3, 3, 4, 4, 4, 4, 5, 5};  // ceil(log2(2t + 1)) for t = 2 … 9
  for (const unsigned width : widths) {
    sum = subject.merge(sum, one);
    CHECK(sum.size() == kHeader + 6400 / 8 * width);
  }
}

TEST_CASE("terngrad: contributions stop at 65535") {
  Subject subject("terngrad", make_input("normal", 70, 6));
  const Payload one = subject.encode();
  Payload sum = one;
  // 1, 3, 7, … 65535
  for (int doubling = 0; doubling < 15; ++doubling) sum = subject.merge(subject.merge(sum, sum), one);
  const std::vector<float> decoded = subject.decode(sum, 70);
  const std::vector<float> single = subject.decode(one, 70);
  for (std::size_t i = 0; i < 70; ++i) {
    CHECK(static_cast<double>(decoded[i]) == doctest::Approx(65535.0 * static_cast<double>(single[i])));
  }
  CHECK(merge_status(subject, sum, one) == Status::corrupt);
}

TEST_CASE("terngrad: impossible headers and codes are corrupt") {
  Subject subject("terngrad", make_input("normal", 70, 7));
  const Payload good = subject.encode();
  REQUIRE(decode_status(subject, good) == Status::ok);
  for (const float scale : {-1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Payload bad = good;
    put(bad, 20, scale);
    CHECK(decode_status(subject, bad) == Status::corrupt);
  }
  for (const std::uint16_t contributions : {std::uint16_t{0}, std::uint16_t{2}, std::uint16_t{0xffff}}) {
    Payload bad = good;
    put(bad, 16, contributions);
    CHECK(decode_status(subject, bad) == Status::corrupt);
  }
  Payload bad_digit = good;
  bad_digit[kHeader] = std::byte{243};
  CHECK(decode_status(subject, bad_digit) == Status::corrupt);
  CHECK(merge_status(subject, bad_digit, good) == Status::corrupt);
  Payload bad_sum = subject.merge(good, good);
  std::fill(bad_sum.begin() + kHeader, bad_sum.end(), std::byte{0xff});
  CHECK(decode_status(subject, bad_sum) == Status::corrupt);
  Payload other_scale = good;
  put(other_scale, 20, scale_of(subject) * 2);
  CHECK(merge_status(subject, good, other_scale) == Status::corrupt);
}

}  // namespace
}  // namespace gossamer
