#include "compress/kernels.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "compress/half.hpp"
#include "lib/base/error.hpp"
#include "tests/every_target.hpp"

/// Every kernel against its scalar reference, on every instruction set this machine has.
namespace gossamer {
namespace {

constexpr DType kTypes[] = {DType::float32, DType::float64, DType::float16, DType::bfloat16};
constexpr std::size_t kCounts[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 1009};

std::vector<float> normals(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

/// Elements of `type` at an odd address.
struct Elements {
  Elements(DType type, std::span<const float> values) : bytes(values.size() * size_of(type) + 1) {
    for (std::size_t i = 0; i < values.size(); ++i) set(type, i, values[i]);
  }
  void set(DType type, std::size_t index, float value) {
    const double wide = static_cast<double>(value);
    const std::uint16_t half = type == DType::float16 ? float_to_float16(value) : float_to_bfloat16(value);
    const void* from = &half;
    if (type == DType::float32) from = &value;
    if (type == DType::float64) from = &wide;
    std::memcpy(bytes.data() + 1 + index * size_of(type), from, size_of(type));
  }
  MutableBytes span() { return std::span(bytes).subspan(1); }
  std::vector<std::byte> bytes;
};

std::string label(DType type, std::size_t count) {
  return sentence(name_of(type), " × ", count);
}

TEST_CASE("kernels: add_scaled and rescale equal the reference bit for bit") {
  on_every_target([] {
    for (const DType type : kTypes) {
      for (const std::size_t count : kCounts) {
        INFO(label(type, count), ", seeds 1 and 2");
        Elements in(type, normals(count, 2));
        for (const double scale : {1.0, -1.0, 0.5}) {
          Elements out(type, normals(count, 1));
          Elements expected = out;
          kernels::add_scaled(type, out.span(), in.span(), scale);
          kernels::reference::add_scaled(type, expected.span(), in.span(), scale);
          CHECK(out.bytes == expected.bytes);
          CHECK(kernels::rescale(type, out.span(), 0.3) == kernels::reference::rescale(type, expected.span(), 0.3));
          CHECK(out.bytes == expected.bytes);
        }
      }
    }
  });
}

TEST_CASE("kernels: one value that is not finite is seen wherever it stands") {
  on_every_target([] {
    for (const DType type : kTypes) {
      for (const std::size_t count : {std::size_t{1}, std::size_t{16}, std::size_t{33}, std::size_t{70}}) {
        for (std::size_t at = 0; at < count; ++at) {
          for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                                  std::numeric_limits<float>::quiet_NaN()}) {
            INFO(label(type, count), ", ", bad, " at ", at);
            Elements values(type, normals(count, 3));
            Elements in(type, normals(count, 4));
            CHECK(kernels::all_finite(type, values.span()));
            CHECK(kernels::rescale(type, values.span(), 0.5));
            in.set(type, at, bad);
            CHECK_FALSE(kernels::all_finite(type, in.span()));
            CHECK_FALSE(kernels::reference::all_finite(type, in.span()));
            CHECK_FALSE(kernels::rescale(type, in.span(), 0.5));
          }
        }
      }
    }
  });
}

TEST_CASE("kernels: a float16 sum beyond its range counts as not finite") {
  on_every_target([] {
    Elements values(DType::float16, std::vector<float>(40, 60000.0F));
    Elements in = values;
    kernels::add_scaled(DType::float16, values.span(), in.span(), 1.0);
    CHECK_FALSE(kernels::all_finite(DType::float16, values.span()));
    Elements doubled = in;
    CHECK_FALSE(kernels::rescale(DType::float16, doubled.span(), 2.0));
  });
}

TEST_CASE("kernels: every float16 and bfloat16 widens as the reference does") {
  std::vector<std::byte> halves(65536 * 2);
  for (std::uint32_t bits = 0; bits < 65536; ++bits) std::memcpy(halves.data() + 2 * bits, &bits, 2);
  on_every_target([&] {
    for (const DType type : {DType::float16, DType::bfloat16}) {
      std::vector<float> widened(65536, 0.0F);
      std::vector<float> expected(65536, 0.0F);
      kernels::add_widened(type, halves, 1.0F, widened);
      kernels::reference::add_widened(type, halves, 1.0F, expected);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < 65536; ++i) {
        const bool both_nan = std::isnan(widened[i]) && std::isnan(expected[i]);
        wrong += both_nan || widened[i] == expected[i] ? 0 : 1;
      }
      INFO(std::string(name_of(type)));
      CHECK(wrong == 0);
    }
  });
}

/// The value of `bits` by the definition of the formats, in double.
double half_value(DType type, std::uint32_t bits) {
  const int mantissa_bits = type == DType::float16 ? 10 : 7;
  const int bias = type == DType::float16 ? 15 : 127;
  const int exponent = static_cast<int>((bits & 0x7fffU) >> mantissa_bits);
  const auto mantissa = static_cast<double>(bits & ((1U << mantissa_bits) - 1));
  const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(1.0 + std::ldexp(mantissa, -mantissa_bits), exponent - bias);
}

TEST_CASE("kernels: widening is exact, by the formats' definition") {
  for (const DType type : {DType::float16, DType::bfloat16}) {
    const std::uint32_t infinity = type == DType::float16 ? 0x7c00 : 0x7f80;
    for (std::uint32_t bits = 0; bits < infinity; ++bits) {
      const auto half = static_cast<std::uint16_t>(bits);
      const float value = type == DType::float16 ? float16_to_float(half) : bfloat16_to_float(half);
      if (static_cast<double>(value) != half_value(type, bits)) FAIL_CHECK(name_of(type), " bits ", bits);
    }
  }
}

TEST_CASE("kernels: narrowing takes the nearest value, ties to even, and saturates") {
  // Around every half value: itself, the midpoint to the next one, and both neighbours of that midpoint.
  for (const DType type : {DType::float16, DType::bfloat16}) {
    const std::uint32_t largest = type == DType::float16 ? 0x7bff : 0x7f7f;
    std::vector<float> values;
    std::vector<std::uint16_t> nearest;
    const auto add = [&](double value, std::uint32_t bits) {
      values.push_back(static_cast<float>(value));
      nearest.push_back(static_cast<std::uint16_t>(bits));
      values.push_back(static_cast<float>(-value));
      nearest.push_back(static_cast<std::uint16_t>(bits | 0x8000U));
    };
    for (std::uint32_t bits = 0; bits < largest; ++bits) {
      const double low = half_value(type, bits);
      const auto middle = static_cast<float>((low + half_value(type, bits + 1)) / 2);
      add(low, bits);
      add(static_cast<double>(middle), bits + (bits & 1U));
      add(static_cast<double>(std::nextafter(middle, 0.0F)), bits);
      add(static_cast<double>(std::nextafter(middle, std::numeric_limits<float>::infinity())), bits + 1);
    }
    add(half_value(type, largest), largest);
    add(static_cast<double>(std::numeric_limits<float>::max()), largest);
    const auto check = [&](std::span<const std::byte> narrowed) {
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, narrowed.data() + 2 * i, 2);
        wrong += bits == nearest[i] ? 0 : 1;
      }
      CHECK(wrong == 0);
    };
    INFO(std::string(name_of(type)));
    std::vector<std::byte> narrowed(2 * values.size());
    kernels::reference::narrow(type, values, narrowed);
    check(narrowed);
    on_every_target([&] {
      kernels::narrow(type, values, narrowed);
      check(narrowed);
    });
  }
}

TEST_CASE("kernels: narrowing keeps NaN a NaN and infinity infinite") {
  const float infinity = std::numeric_limits<float>::infinity();
  const float odd_nan = std::bit_cast<float>(0x7f800001U);
  const std::vector<float> values = {infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), odd_nan};
  on_every_target([&] {
    for (const DType type : {DType::float16, DType::bfloat16}) {
      std::vector<std::byte> narrowed(2 * values.size());
      std::vector<float> back(values.size(), 0.0F);
      kernels::narrow(type, values, narrowed);
      kernels::add_widened(type, narrowed, 1.0F, back);
      CHECK(back[0] == infinity);
      CHECK(back[1] == -infinity);
      CHECK(std::isnan(back[2]));
      CHECK(std::isnan(back[3]));
    }
  });
}

TEST_CASE("kernels: int8 codes and their decoding equal the reference") {
  on_every_target([] {
    for (const std::size_t block : {std::size_t{1}, std::size_t{5}, std::size_t{64}, std::size_t{256}}) {
      for (const std::size_t count : kCounts) {
        for (const float magnitude : {1.0F, 1e-44F, 1e-39F, 1e30F, 6e37F}) {
          INFO("block ", block, ", ", count, " values of ", magnitude, ", seed 5");
          std::vector<float> values = normals(count, 5);
          for (float& value : values) value *= magnitude;
          const std::size_t blocks = (count + block - 1) / block;
          std::vector<std::byte> scales(4 * blocks), expected_scales(4 * blocks), codes(count), expected_codes(count);
          kernels::quantise_int8(values, {block, scales, codes});
          kernels::reference::quantise_int8(values, {block, expected_scales, expected_codes});
          CHECK(scales == expected_scales);
          CHECK(codes == expected_codes);
          std::vector<float> out = normals(count, 6);
          std::vector<float> expected = out;
          kernels::add_int8(scales, codes, block, -1.0F, out);
          kernels::reference::add_int8(scales, codes, block, -1.0F, expected);
          CHECK(out == expected);
        }
      }
    }
  });
}

TEST_CASE("kernels: random words are those of the scalar generator") {
  on_every_target([] {
    const RandomStream stream{0x123456789abcdefULL, 7, 3};
    for (const std::uint64_t first : {0ULL, 1ULL, 6ULL, (1ULL << 34) - 37, (1ULL << 40) + 3}) {
      for (const std::size_t count : kCounts) {
        INFO("words ", first, " and ", count, " on");
        std::vector<std::uint32_t> words(count);
        kernels::random_words(stream, first, words);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < count; ++i) {
          wrong += words[i] == stream.words((first + i) / 4)[(first + i) % 4] ? 0 : 1;
        }
        CHECK(wrong == 0);
      }
    }
  });
}

TEST_CASE("kernels: sums and maxima equal the reference") {
  on_every_target([] {
    for (const std::size_t count : kCounts) {
      INFO(count, " values, seed 9");
      std::vector<float> values = normals(count, 9);
      CHECK(kernels::sum_of_squares(values) ==
            doctest::Approx(kernels::reference::sum_of_squares(values)).epsilon(1e-14));
      CHECK(kernels::max_abs(values) == kernels::reference::max_abs(values));
      const kernels::Moments moments = kernels::moments(values, 0.5F);
      const kernels::Moments expected = kernels::reference::moments(values, 0.5F);
      CHECK(moments.sum == doctest::Approx(expected.sum).epsilon(1e-13));
      CHECK(moments.sum_of_squares == doctest::Approx(expected.sum_of_squares).epsilon(1e-14));
      CHECK(moments.max_abs == expected.max_abs);
      if (count == 0) continue;
      values[count / 2] = std::numeric_limits<float>::quiet_NaN();
      CHECK(std::isnan(kernels::max_abs(values)));
      values[count / 2] = -std::numeric_limits<float>::infinity();
      CHECK(std::isinf(kernels::max_abs(values)));
    }
  });
}

TEST_CASE("kernels: add is the sum of each pair") {
  on_every_target([] {
    for (const std::size_t count : kCounts) {
      std::vector<float> out = normals(count, 21);
      const std::vector<float> start = out;
      const std::vector<float> in = normals(count, 22);
      kernels::add(out, in);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < count; ++i) wrong += out[i] == start[i] + in[i] ? 0 : 1;
      CHECK(wrong == 0);
    }
  });
}

}  // namespace
}  // namespace gossamer
