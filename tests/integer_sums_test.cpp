// The machinery of integer sums against plain scalar twins: rounding to digits, planes, their sums and what they mean.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "compress/bit_planes.hpp"
#include "compress/levels.hpp"
#include "tests/codec_cases.hpp"
#include "tests/every_target.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kWords = 7;
constexpr std::size_t kValues = kWords * planes::kWord;

std::vector<std::uint32_t> random_integers(std::uint32_t below, std::mt19937& random) {
  std::vector<std::uint32_t> values(kValues);
  for (std::uint32_t& value : values) value = random() % below;
  return values;
}

/// Plane by plane, bit by bit.
std::vector<std::byte> planes_of(const std::vector<std::uint32_t>& values, unsigned width) {
  std::vector<std::byte> out(planes::bytes_of(values.size(), width));
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (unsigned bit = 0; bit < width; ++bit) {
      const std::size_t byte = (i / 64 * width + bit) * 8 + i % 64 / 8;
      out[byte] |= static_cast<std::byte>((values[i] >> bit & 1U) << (i % 8));
    }
  }
  return out;
}

TEST_CASE("bit planes: packing is putting bit b of value j at bit j of word b") {
  std::mt19937 random(1);
  for (unsigned width = 1; width <= planes::kDigitWidth; ++width) {
    const std::vector<std::uint32_t> values = random_integers(1U << width, random);
    const std::vector<std::uint8_t> digits(values.begin(), values.end());
    std::vector<std::byte> packed(planes::bytes_of(kValues, width));
    planes::pack(digits, width, packed.data());
    INFO("width ", width, ", seed 1");
    CHECK(packed == planes_of(values, width));
  }
}

TEST_CASE("bit planes: sums of any two widths are the sums of the values, and too large ones are reported") {
  std::mt19937 random(2);
  for (unsigned left = 1; left <= 20; ++left) {
    for (unsigned right = 1; right <= 20; ++right) {
      const std::vector<std::uint32_t> a = random_integers(1U << left, random);
      const std::vector<std::uint32_t> b = random_integers(1U << right, random);
      std::vector<std::uint32_t> sum(kValues);
      std::transform(a.begin(), a.end(), b.begin(), sum.begin(), std::plus<>());
      INFO("widths ", left, " and ", right, ", seed 2");
      const std::vector<std::byte> x = planes_of(a, left);
      const std::vector<std::byte> y = planes_of(b, right);
      const unsigned wide = std::max(left, right) + 1;
      std::vector<std::byte> added(planes::bytes_of(kValues, wide));
      CHECK(planes::add({x.data(), left}, {y.data(), right}, kWords, wide, added.data()));
      CHECK(added == planes_of(sum, wide));
      const bool fits = std::ranges::max(sum) >> (wide - 1) == 0;
      CHECK(planes::add({x.data(), left}, {y.data(), right}, kWords, wide - 1, added.data()) == fits);
    }
  }
}

TEST_CASE("bit planes: unpacking gives step · value − offset, and reports a value that is too large") {
  std::mt19937 random(3);
  for (unsigned width = 1; width <= planes::kMaxWidth; ++width) {
    const std::vector<std::uint32_t> values = random_integers(1U << width, random);
    const std::vector<std::byte> packed = planes_of(values, width);
    const auto largest = static_cast<std::int32_t>(std::ranges::max(values));
    for (const std::uint32_t step : {1U, 2U}) {
      const auto offset = static_cast<std::int32_t>(1U << (width - 1));
      std::vector<float> out(kValues);
      INFO("width ", width, ", seed 3");
      CHECK(planes::unpack(packed.data(), {width, step, offset, largest}, out));
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < kValues; ++i) {
        const std::int64_t expected = std::int64_t{step} * values[i] - offset;
        wrong += out[i] == static_cast<float>(expected) ? 0 : 1;
      }
      CHECK(wrong == 0);
      CHECK_FALSE(planes::unpack(packed.data(), {width, step, offset, largest - 1}, out));
    }
  }
}

/// The value in steps, clamped, as the kernels compute it: in float, product by product.
float in_steps(float value, const kernels::LevelRule& rule) {
  return std::clamp(value * rule.scale.lift * rule.scale.inverse, rule.low, rule.high);
}

template <typename Round>
std::size_t differing(std::span<const float> values, const kernels::LevelRule& rule,
                      const std::vector<std::uint8_t>& digits, const Round& round) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int expected = round(in_steps(values[i], rule), i) + rule.bias;
    count += digits[i] == static_cast<std::uint8_t>(expected) ? 0 : 1;
  }
  return count;
}

/// The number of 24 bits that decides about value i.
float uniform_of(const RoundingSource& source, std::size_t i) {
  const std::uint64_t element = source.first + i;
  return static_cast<float>(upper_bits(source.own, element) << 16 | lower_bits(source.own, element, 16)) * 0x1p-24F;
}

/// Calls action(source, rule) for values of many sizes, lattices, lengths and places; the longest have values that 8
/// bits do not decide about.
template <typename Action>
void for_all_rules(const Action& action) {
  on_every_target([&] {
    for (const std::string_view pattern : kPatterns) {
      for (const std::size_t count : {1, 7, 63, 64, 320, 3001}) {
        const std::vector<float> values = make_input(pattern, count, 21);
        const RoundingSource source{values, {22, 1, 1}, count % 4};
        float largest = 0;
        for (const float value : values) largest = std::max(largest, std::abs(value));
        for (const float levels : {1.0F, 7.0F, 127.0F}) {
          INFO("input '", std::string(pattern), "' of ", count, " values, ", levels, " levels, seeds 21 and 22");
          const auto bias = static_cast<std::uint8_t>(levels);
          action(source, kernels::LevelRule{int8_scale(largest, levels), -levels, levels, bias});
          action(source, kernels::LevelRule{int8_scale(largest / 2, levels), -levels, levels - 1, bias});
        }
      }
    }
  });
}

TEST_CASE("levels: rounding to nearest equals the scalar twin") {
  for_all_rules([](const RoundingSource& source, const kernels::LevelRule& rule) {
    std::vector<std::uint8_t> digits(source.values.size());
    kernels::quantise_nearest(source.values, rule, digits.data());
    CHECK(differing(source.values, rule, digits,
                    [](float x, std::size_t) { return static_cast<int>(std::nearbyint(x)); }) == 0);
  });
}

TEST_CASE("levels: stochastic rounding equals the scalar twin") {
  for_all_rules([](const RoundingSource& source, const kernels::LevelRule& rule) {
    std::vector<std::uint8_t> digits(source.values.size());
    kernels::quantise_stochastic(source, rule, digits.data());
    CHECK(differing(source.values, rule, digits, [&](float x, std::size_t i) {
            const float floor = std::floor(x);
            return static_cast<int>(floor) + (uniform_of(source, i) < x - floor ? 1 : 0);
          }) == 0);
  });
}

TEST_CASE("levels: rounding to powers of two equals the scalar twin") {
  for_all_rules([](const RoundingSource& source, const kernels::LevelRule& rule) {
    std::vector<std::uint8_t> digits(source.values.size());
    kernels::quantise_natural(source, rule, digits.data());
    CHECK(differing(source.values, rule, digits, [&](float x, std::size_t i) {
            const float size = std::abs(x);
            const float below = size < 1 ? 0.0F : std::exp2(std::floor(std::log2(size)));
            const float gap = size < 1 ? 1.0F : below;
            const float rounded = below + (uniform_of(source, i) * gap < size - below ? gap : 0.0F);
            return static_cast<int>(x < 0 ? -rounded : rounded);
          }) == 0);
  });
}

TEST_CASE("levels: rounding to a table equals the scalar twin") {
  for_all_rules([](const RoundingSource& source, kernels::LevelRule rule) {
    rule.bias = 7;
    rule.low = -7;
    rule.high = 7;
    // 0, 3, 4, 9, 14
    kernels::LevelTable table;
    for (const auto& [from, to] : {std::pair{0, 3}, {3, 4}, {4, 9}, {9, 14}}) {
      for (int cell = from; cell < to; ++cell) {
        table.below[static_cast<std::size_t>(cell)] = static_cast<float>(from);
        table.gap[static_cast<std::size_t>(cell)] = static_cast<float>(to - from);
      }
    }
    std::vector<std::uint8_t> digits(source.values.size());
    kernels::quantise_table(source, rule, table, digits.data());
    CHECK(differing(source.values, rule, digits, [&](float x, std::size_t i) {
            const float place = x + 7;
            const auto cell = std::min<std::size_t>(static_cast<std::size_t>(place), 13);
            const bool up = uniform_of(source, i) * table.gap[cell] < place - table.below[cell];
            return static_cast<int>(table.below[cell] + (up ? table.gap[cell] : 0.0F)) - 7;
          }) == 0);
  });
}

TEST_CASE("levels: the sign of both zeros is +") {
  const std::vector<float> values = {0.0F, -0.0F, 1e-45F, -1e-45F, 3e38F, -3e38F, 1.0F, -1.0F, -2.0F};
  std::vector<std::uint8_t> digits(values.size());
  kernels::quantise_sign(values, digits.data());
  CHECK(digits == std::vector<std::uint8_t>{1, 1, 1, 0, 1, 0, 1, 0, 0});
}

}  // namespace
}  // namespace gossamer
