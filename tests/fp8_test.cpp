#include "compress/fp8.hpp"

#include <limits>

#include "tests/codec_probes.hpp"
#include "tests/every_target.hpp"

namespace gossamer {
namespace {

using Payload = std::vector<std::byte>;

constexpr std::size_t kHeader = 12;

/// The value of a code by the formats' definition, in double.
double value_of(const fp8::Format& format, unsigned code) {
  const unsigned field = (code & 0x7fU) >> format.mantissa_bits;
  const double fraction = std::ldexp(code & ((1U << format.mantissa_bits) - 1), -format.mantissa_bits);
  const double magnitude = field == 0 ? std::ldexp(fraction, 1 - format.bias)
                                      : std::ldexp(1.0 + fraction, static_cast<int>(field) - format.bias);
  return code < 0x80 ? magnitude : -magnitude;
}

/// What `codes` of a scale of 1 decode to.
std::vector<float> decode(const fp8::Format& format, Bytes codes) {
  std::vector<float> out(codes.size(), 0.0F);
  REQUIRE(fp8::add(codes, {format, 0}, 1.0F, out));
  return out;
}

TEST_CASE("fp8: the formats' largest, least and smallest normal values are those of the OCP specification") {
  CHECK(value_of(fp8::kE4M3, fp8::kE4M3.largest) == 448.0);
  CHECK(value_of(fp8::kE4M3, 0x01) == 0x1p-9);
  CHECK(value_of(fp8::kE4M3, 0x08) == 0x1p-6);
  CHECK(value_of(fp8::kE5M2, fp8::kE5M2.largest) == 57344.0);
  CHECK(value_of(fp8::kE5M2, 0x01) == 0x1p-16);
  CHECK(value_of(fp8::kE5M2, 0x04) == 0x1p-14);
}

TEST_CASE("fp8: every code decodes to its value and that value to the code") {
  on_every_target([] {
    for (const fp8::Format& format : {fp8::kE4M3, fp8::kE5M2}) {
      Payload codes;
      for (unsigned code = 0; code < 256; ++code) {
        if ((code & 0x7fU) <= format.largest) codes.push_back(static_cast<std::byte>(code));
      }
      const std::vector<float> values = decode(format, codes);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        CHECK(static_cast<double>(values[i]) == value_of(format, static_cast<unsigned>(codes[i])));
      }
      Payload again(codes.size());
      fp8::encode(values, {format, 0}, again);
      again[static_cast<std::size_t>(format.largest) + 1] |= std::byte{0x80};  // -0 of a sum that began with +0
      CHECK(again == codes);
    }
  });
}

TEST_CASE("fp8: infinities and NaN are no codes of a payload") {
  on_every_target([] {
    for (const fp8::Format& format : {fp8::kE4M3, fp8::kE5M2}) {
      for (unsigned code = 0; code < 256; ++code) {
        for (const std::size_t at : {std::size_t{0}, std::size_t{36}}) {
          Payload codes(37, std::byte{0});
          codes[at] = static_cast<std::byte>(code);
          std::vector<float> out(37, 0.0F);
          CHECK(fp8::add(codes, {format, 0}, 1.0F, out) == ((code & 0x7fU) <= format.largest));
        }
      }
    }
  });
}

TEST_CASE("fp8: encoding takes the nearest value, ties to even, and saturates") {
  for (const fp8::Format& format : {fp8::kE4M3, fp8::kE5M2}) {
    std::vector<float> values;
    Payload nearest;
    const auto add = [&](float value, unsigned code) {
      values.insert(values.end(), {value, -value});
      nearest.insert(nearest.end(), {static_cast<std::byte>(code), static_cast<std::byte>(code | 0x80U)});
    };
    for (unsigned code = 0; code < format.largest; ++code) {
      const auto middle = static_cast<float>((value_of(format, code) + value_of(format, code + 1)) / 2);
      add(middle, code + (code & 1U));
      add(std::nextafter(middle, 0.0F), code);
      add(std::nextafter(middle, std::numeric_limits<float>::infinity()), code + 1);
    }
    add(format.max * 1.01F, format.largest);
    add(std::numeric_limits<float>::max(), format.largest);
    add(std::numeric_limits<float>::quiet_NaN(), format.largest);
    on_every_target([&] {
      Payload codes(values.size());
      fp8::encode(values, {format, 0}, codes);
      CHECK(codes == nearest);
    });
  }
}

TEST_CASE("fp8 kernels equal the reference at every scale") {
  on_every_target([] {
    for (const fp8::Format& format : {fp8::kE4M3, fp8::kE5M2}) {
      for (const int exponent : {-149, -127, -126, -30, -1, 0, 7, 118, 127}) {
        for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{9}, std::size_t{1009}}) {
          INFO(count, " values of about 2^", exponent, ", seed 41");
          std::vector<float> values = make_input("normal", count, 41);
          for (float& value : values) value = std::ldexp(value, std::min(exponent + 3, 124));
          Payload codes(count);
          Payload expected(count);
          fp8::encode(values, {format, exponent}, codes);
          fp8::reference::encode(values, {format, exponent}, expected);
          CHECK(codes == expected);
          std::vector<float> out = values;
          std::vector<float> expected_out = values;
          CHECK(fp8::add(codes, {format, exponent}, -1.0F, out));
          CHECK(fp8::reference::add(codes, {format, exponent}, -1.0F, expected_out));
          CHECK(out == expected_out);
        }
      }
    }
  });
}

/// After begin() of a call of so many ranks.
Subject subject_of(const std::string& spec, std::vector<float> values, int ranks) {
  Subject subject(spec, std::move(values));
  StepContext context;
  context.ranks = ranks;
  subject.codec().begin(chunk_of(subject.values()), context);
  return subject;
}

TEST_CASE("fp8: sums of as many ranks as the call has fit under the scale") {
  for (const std::string spec : {"fp8", "fp8:format=e5m2"}) {
    for (const int ranks : {1, 2, 3, 8, 1000}) {
      INFO(spec, " on ", ranks, " ranks");
      Subject subject = subject_of(spec, {1.0F, -0.75F}, ranks);
      const auto all = static_cast<float>(ranks);
      subject.values() = {all, -0.75F * all};
      const std::vector<float> decoded = subject.decode(subject.encode(), 2);
      const float precision = spec == "fp8" ? 0x1p-4F : 0x1p-3F;
      for (std::size_t i = 0; i < 2; ++i) {
        CHECK(std::abs(decoded[i] - subject.values()[i]) <= precision * std::abs(subject.values()[i]));
      }
      // What exceeds the range is not lost: it comes back at its end, so that the rest is the residual.
      subject.values() = {1000.0F * all, -1000.0F * all};
      const std::vector<float> saturated = subject.decode(subject.encode(), 2);
      CHECK(saturated[0] >= all);
      CHECK(saturated[0] <= 2.0F * all);
      CHECK(saturated[1] == -saturated[0]);
    }
  }
}

TEST_CASE("fp8: the largest and the smallest floats survive") {
  const float largest = std::numeric_limits<float>::max();
  const float smallest = std::numeric_limits<float>::denorm_min();
  for (const std::string spec : {"fp8", "fp8:format=e5m2"}) {
    for (const int ranks : {1, 8, 100000}) {
      INFO(spec, " on ", ranks, " ranks");
      Subject big = subject_of(spec, {largest, -largest}, ranks);
      const std::vector<float> decoded = big.decode(big.encode(), 2);
      CHECK(std::isfinite(decoded[0]));
      CHECK(decoded[0] >= 0.75F * largest);
      CHECK(decoded[1] == -decoded[0]);
    }
    Subject small = subject_of(spec, {smallest, -smallest, 0.0F, 3 * smallest}, 8);
    CHECK(small.decode(small.encode(), 4) == small.values());
  }
}

TEST_CASE("fp8: powers of two are exact, so equal values of 2, 4 or 8 ranks have an exact sum") {
  Subject subject = subject_of("fp8", {1.0F, -0.5F, 0.25F, 2.0F}, 8);
  CHECK(subject.decode(subject.encode(), 4) == subject.values());
  for (float& value : subject.values()) value *= 8.0F;
  CHECK(subject.decode(subject.encode(), 4) == subject.values());
}

TEST_CASE("fp8: one byte a value; impossible scales, formats and codes are corrupt") {
  Subject subject("fp8", make_input("normal", 70, 42));
  const Payload good = subject.encode();
  CHECK(good.size() == kHeader + 70);
  CHECK(status_of_decode(subject, with_bytes(good, 8, std::int16_t{-149})) == Status::ok);
  CHECK(status_of_decode(subject, with_bytes(good, 8, std::int16_t{127})) == Status::ok);
  CHECK(status_of_decode(subject, with_bytes(good, 8, std::int16_t{-150})) == Status::corrupt);
  CHECK(status_of_decode(subject, with_bytes(good, 8, std::int16_t{128})) == Status::corrupt);
  for (const std::uint16_t bits : {0, 1, 4, 0xffff}) {
    CHECK(status_of_decode(subject, with_bytes(good, 10, bits)) == Status::corrupt);
  }
  CHECK(status_of_decode(subject, with_bytes(good, kHeader + 69, std::uint8_t{0xff})) == Status::corrupt);
}

TEST_CASE("fp8: formats it does not have are refused by name") {
  check_refused({"fp8:format=e3m4", "fp8:format="});
}

}  // namespace
}  // namespace gossamer
