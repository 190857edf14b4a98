#include <doctest/doctest.h>

#include <limits>
#include <numbers>

#include "compress/sign_kernels.hpp"
#include "tests/codec_probes.hpp"
#include "tests/every_target.hpp"

namespace gossamer {
namespace {

using Payload = std::vector<std::byte>;

constexpr std::size_t kEfsignHeader = 16;  // count, block, scale

/// ‖x‖² − ‖x‖₁²/d
double scaled_sign_error(std::span<const float> values) {
  const double sum = sum_of_magnitudes(values);
  return squared_norm(values) - sum * sum / static_cast<double>(values.size());
}

TEST_CASE("efsign, onebit: the tutorial's vector has the tutorial's signs, zero is positive") {
  const float signs[] = {-1, 1, 1, 1, -1, 1, 1, 1, 1, -1};
  Subject efsign("efsign", kTutorialVector);
  const std::vector<float> decoded = efsign.decode(efsign.encode(), 10);
  for (std::size_t i = 0; i < 10; ++i) CHECK(decoded[i] == doctest::Approx(signs[i] * 5.798F).epsilon(1e-6));
  Subject onebit("onebit", kTutorialVector);
  const std::vector<float> means = onebit.decode(onebit.encode(), 10);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(means[i] == doctest::Approx(signs[i] < 0 ? -25.78F / 3 : 32.2F / 7).epsilon(1e-6));
  }
  // The picture's code 0 1 1 1 0 1 1 1 | 1 0, where 1 stands for positive; here 1 stands for negative.
  const Payload payload = efsign.encode();
  CHECK(payload[kEfsignHeader] == std::byte{0b0001'0001});
  CHECK(payload[kEfsignHeader + 1] == std::byte{0b0000'0010});
}

TEST_CASE("efsign: the error is the theory's with equality, at any length") {
  for (const std::size_t count : kCounts) {
    if (count == 0) continue;
    INFO(count, " values, seed 31");
    Subject subject("efsign", make_input("normal", count, 31));
    const double allowed = 1e-6 * squared_norm(subject.values());
    CHECK(std::abs(squared_error(subject) - scaled_sign_error(subject.values())) <= allowed);
  }
}

TEST_CASE("efsign: one value among zeros contracts, which a scale of L2/sqrt(d) would not") {
  std::vector<float> values(1000, 0.0F);
  values[17] = 1.0F;
  Subject subject("efsign", values);
  CHECK(squared_error(subject) == doctest::Approx(1.0 - 1.0 / 1000).epsilon(1e-6));
}

TEST_CASE("efsign: normal values keep 2/π of their energy") {
  Subject subject("efsign", make_input("normal", 100003, 32));
  const double kept = 1.0 - squared_error(subject) / squared_norm(subject.values());
  // d · delta has a variance of order 1: 0.01 is over three deviations of 100003 values.
  CHECK(std::abs(kept - 2.0 / std::numbers::pi) < 0.01);
}

TEST_CASE("onebit: two free means are never worse than one magnitude") {
  for (const std::string_view pattern : {"normal", "one value", "constant", "wide range"}) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{63}, std::size_t{1009}}) {
      INFO(std::string(pattern), ", ", count, " values, seed 33");
      Subject subject("onebit", make_input(pattern, count, 33));
      CHECK(squared_error(subject) <= scaled_sign_error(subject.values()) + 1e-6 * squared_norm(subject.values()));
    }
  }
}

TEST_CASE("onebit: a side without values has mean 0, and the other its own (B10)") {
  for (const float value : {2.5F, -2.5F, 0.0F, -0.0F}) {
    INFO(value);
    Subject subject("onebit", std::vector<float>(13, value));
    for (const float decoded : subject.decode(subject.encode(), 13)) CHECK(decoded == value);
  }
}

TEST_CASE("efsign, onebit: bits of padding are zero and enter no mean (B10)") {
  for (std::size_t count = 1; count <= 130; ++count) {
    INFO(count, " values of -2");
    Subject efsign("efsign", std::vector<float>(count, -2.0F));
    const Payload payload = efsign.encode();
    CHECK(efsign.decode(payload, count) == efsign.values());
    if (count % 8 != 0) CHECK(static_cast<unsigned>(payload.back()) == (1U << (count % 8)) - 1);
    Subject onebit("onebit", std::vector<float>(count, -2.0F));
    CHECK(onebit.decode(onebit.encode(), count) == onebit.values());
  }
}

TEST_CASE("efsign, onebit: sizes are whole bytes of bits and the floats, beyond 2^24 values too (B10)") {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{8}, std::size_t{9}, std::size_t{1009}}) {
    const std::size_t floats = count == 0 ? 0 : 4;
    Subject efsign("efsign", make_input("normal", count, 34));
    CHECK(efsign.encode().size() == 12 + floats + (count + 7) / 8);
    Subject onebit("onebit", make_input("normal", count, 34));
    CHECK(onebit.encode().size() == 12 + 2 * floats + (count + 7) / 8);
  }
  Subject subject("efsign", {1.0F});
  CHECK(subject.codec().max_payload((std::size_t{1} << 24) + 1) == 16 + (std::size_t{1} << 21) + 1);
  // Lengths of blocks have 32 bits: these are blocks of 2^32 - 1, 2^32 - 1 and 2 values.
  CHECK(subject.codec().max_payload(std::size_t{1} << 33) == 12 + 3 * 4 + (std::size_t{1} << 30) + 1);
}

TEST_CASE("efsign, onebit: the largest floats have finite means, the smallest are not lost") {
  const float largest = std::numeric_limits<float>::max();
  const float smallest = std::numeric_limits<float>::denorm_min();
  for (const std::string spec : {"efsign", "onebit"}) {
    for (const float size : {largest, smallest}) {
      INFO(spec, " of ", size);
      Subject subject(spec, {size, -size, size, -size, size});
      CHECK(subject.decode(subject.encode(), 5) == subject.values());
    }
  }
}

TEST_CASE("efsign, onebit: means that cannot be are corrupt") {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Subject efsign("efsign", make_input("normal", 70, 35));
  const Payload scaled = efsign.encode();
  for (const float bad : {-1.0F, infinity, nan}) {
    CHECK(status_of_decode(efsign, with_bytes(scaled, 12, bad)) == Status::corrupt);
  }
  CHECK(status_of_decode(efsign, with_bytes(scaled, 8, std::uint32_t{0})) == Status::corrupt);
  Subject onebit("onebit", make_input("normal", 70, 35));
  const Payload means = onebit.encode();
  CHECK(status_of_decode(onebit, with_bytes(means, 12, 1.0F)) == Status::corrupt);
  CHECK(status_of_decode(onebit, with_bytes(means, 16, -1.0F)) == Status::corrupt);
  for (const float bad : {infinity, -infinity, nan}) {
    CHECK(status_of_decode(onebit, with_bytes(means, 12, bad)) == Status::corrupt);
    CHECK(status_of_decode(onebit, with_bytes(means, 16, bad)) == Status::corrupt);
  }
}

TEST_CASE("efsign, onebit: blocks out of range are refused by name") {
  check_refused({"efsign:block=-1", "efsign:block=1048577", "onebit:block=-1", "onebit:block=x"});
}

TEST_CASE("sign kernels: bits, sums and decoding equal the reference") {
  on_every_target([] {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{63},
                                    std::size_t{64}, std::size_t{65}, std::size_t{200}, std::size_t{1009}}) {
      INFO(count, " values, seed 36");
      std::vector<float> values = make_input("normal", count, 36);
      for (std::size_t i = 0; i < count; i += 5) values[i] = i % 2 == 0 ? 0.0F : -0.0F;
      Payload bits(signs::bytes_of(count), std::byte{0xff});
      Payload expected_bits(signs::bytes_of(count), std::byte{0xff});
      const signs::Sides sides = signs::pack(values, bits);
      const signs::Sides expected = signs::reference::pack(values, expected_bits);
      CHECK(bits == expected_bits);
      CHECK(sides.negatives == expected.negatives);
      CHECK(sides.negative == doctest::Approx(expected.negative).epsilon(1e-13));
      CHECK(sides.positive == doctest::Approx(expected.positive).epsilon(1e-13));
      std::vector<float> out = make_input("normal", count, 37);
      std::vector<float> expected_out = out;
      signs::add(bits, {-0.3F, 0.7F}, -1.0F, out);
      signs::reference::add(bits, {-0.3F, 0.7F}, -1.0F, expected_out);
      CHECK(out == expected_out);
    }
  });
}

}  // namespace
}  // namespace gossamer
