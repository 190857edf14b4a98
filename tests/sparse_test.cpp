#include <doctest/doctest.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "compress/indices.hpp"
#include "compress/selector.hpp"
#include "compress/sparse_payload.hpp"
#include "compress/values.hpp"
#include "lib/base/error.hpp"

namespace gossamer {
namespace {

using Random = std::mt19937_64;

struct Distribution {
  const char* name;
  float (*draw)(Random&, std::size_t index);
};

float normal(Random& random) {
  return std::normal_distribution<float>()(random);
}

const Distribution kDistributions[] = {
    {"normal", [](Random& random, std::size_t) { return normal(random); }},
    {"heavy tail", [](Random& random, std::size_t) { return std::pow(normal(random), 9.0F); }},
    {"all equal", [](Random&, std::size_t) { return -3.5F; }},
    {"all zero", [](Random&, std::size_t index) { return index % 2 == 0 ? 0.0F : -0.0F; }},
    {"ascending", [](Random&, std::size_t index) { return static_cast<float>(index); }},
    {"descending", [](Random&, std::size_t index) { return -1.0F / static_cast<float>(1 + index); }},
    {"subnormal", [](Random& random, std::size_t) { return normal(random) * 1e-42F; }},
    {"few distinct", [](Random& random, std::size_t) { return static_cast<float>(random() % 5) - 2.0F; }},
    {"mostly zero", [](Random& random, std::size_t) { return random() % 1000 == 0 ? normal(random) : 0.0F; }},
    {"one outlier", [](Random&, std::size_t index) { return index == 7 ? 1e30F : 1.0F; }},
    {"periodic", [](Random&, std::size_t index) { return static_cast<float>(index % 64 == 0 ? index : 1); }},
    {"two scales", [](Random& random, std::size_t index) { return normal(random) * (index < 3000 ? 1e6F : 1.0F); }},
};

std::vector<float> draw(const Distribution& distribution, std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = distribution.draw(random, i);
  return values;
}

/// The positions of the k largest |x|, ties to the lowest index, zeros left out; ascending.
std::vector<std::uint32_t> largest(std::span<const float> values, std::size_t k) {
  std::vector<std::uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return std::fabs(values[a]) > std::fabs(values[b]); });
  order.resize(std::min(k, order.size()));
  std::erase_if(order, [&](auto index) { return values[index] == 0; });
  std::sort(order.begin(), order.end());
  return order;
}

/// What the selector picks, asked for in runs of `run` elements.
std::vector<std::uint32_t> select(Selector& selector, std::span<const float> values, std::size_t k, std::size_t run) {
  selector.choose(values, k);
  std::vector<std::uint32_t> picked;
  SparseVector entries;
  for (std::size_t at = 0; at < values.size(); at += run) {
    entries.clear();
    selector.pick(values.subspan(at, std::min(run, values.size() - at)), at, entries);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto index = static_cast<std::uint32_t>(at + entries.indices()[i]);
      REQUIRE(entries.values()[i] == values[index]);
      picked.push_back(index);
    }
  }
  return picked;
}

/// `count` of `elements` positions, each set equally likely.
std::vector<std::uint32_t> draw_positions(Random& random, std::size_t count, std::size_t elements) {
  std::vector<std::uint32_t> positions;
  for (std::size_t i = 0; i < elements; ++i) {
    if (random() % (elements - i) < count - positions.size()) positions.push_back(static_cast<std::uint32_t>(i));
  }
  return positions;
}

SparseVector draw_entries(Random& random, std::size_t count, std::size_t elements) {
  const auto positions = draw_positions(random, count, elements);
  SparseVector entries;
  entries.resize(count);
  std::copy(positions.begin(), positions.end(), entries.indices().begin());
  for (float& value : entries.values()) value = normal(random);
  return entries;
}

}  // namespace

TEST_CASE("selector picks what a stable sort picks") {
  Selector selector;
  for (const Distribution& distribution : kDistributions) {
    for (const std::size_t count : {0, 1, 2, 17, 4096, 4097, 100003}) {
      const auto values = draw(distribution, count, 1 + count);
      for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{2}, count / 1000, count / 100, count / 10,
                                  count / 2, count - count / 50, count, count + 5}) {
        CAPTURE(distribution.name);
        CAPTURE(count);
        CAPTURE(k);
        const bool same = select(selector, values, k, 1 + count) == largest(values, k);
        CHECK(same);
      }
    }
  }
}

TEST_CASE("selector: runs of a tensor hold what the whole tensor holds, with every instruction set") {
  Selector selector;
  for (const Distribution& distribution : kDistributions) {
    const auto values = draw(distribution, 20011, 3);
    const auto expected = largest(values, 2001);
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
      hwy::GetChosenTarget().Update(target);
      for (const std::size_t run : {1009, 4096, 8192}) {
        CAPTURE(hwy::TargetName(target));
        CAPTURE(distribution.name);
        CAPTURE(run);
        const bool same = select(selector, values, 2001, run) == expected;
        CHECK(same);
      }
    }
  }
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

TEST_CASE("selector: a sample that sees none of the large values still leads to an exact choice") {
  // All large values in one stretch that the sample, one value in 64, hardly touches; smaller ones fill its bracket.
  Random random(11);
  for (int round = 0; round < 20; ++round) {
    std::vector<float> values(300007, 1.0F);
    const std::size_t start = random() % (values.size() - 3000);
    for (std::size_t i = 0; i < 40; ++i) values[start + i] = 10.0F + static_cast<float>(i % 7);
    for (std::size_t i = 0; i < 2000; ++i) values[start + 100 + i] = 2.0F + normal(random) * 0.1F;
    Selector selector;
    CAPTURE(start);
    for (const std::size_t k : {1, 39, 41, 1000, 2050}) {
      CAPTURE(k);
      const bool same = select(selector, values, k, values.size()) == largest(values, k);
      CHECK(same);
    }
  }
}

TEST_CASE("index coders give back every position, in exactly the bytes they announce") {
  Random random(21);
  for (const std::size_t elements : {1, 2, 7, 64, 65, 1009, 100003}) {
    for (const std::size_t count :
         {std::size_t{0}, std::size_t{1}, elements / 400, elements / 20, elements / 2, elements}) {
      const auto positions = draw_positions(random, count, elements);
      for (std::uint8_t coder = 0; coder < kIndexCoders; ++coder) {
        CAPTURE(elements);
        CAPTURE(count);
        CAPTURE(coder);
        const auto how = static_cast<IndexCoder>(coder);
        std::vector<std::byte> bytes(index_bytes(how, positions, elements));
        encode_indices(how, positions, elements, bytes);
        std::vector<std::uint32_t> decoded(count, 12345);
        decode_indices(how, bytes, elements, decoded);
        CHECK(decoded == positions);
      }
    }
  }
}

TEST_CASE("index coders reach the far end of the widest chunk (B6)") {
  const std::size_t elements = 0xffffffff;
  for (const std::vector<std::uint32_t>& positions :
       {std::vector<std::uint32_t>{0xfffffffe}, std::vector<std::uint32_t>{0, 1, 0x80000000, 0xfffffffd, 0xfffffffe}}) {
    for (const IndexCoder how : {IndexCoder::raw, IndexCoder::bitpack, IndexCoder::golomb}) {
      std::vector<std::byte> bytes(index_bytes(how, positions, elements));
      encode_indices(how, positions, elements, bytes);
      std::vector<std::uint32_t> decoded(positions.size());
      decode_indices(how, bytes, elements, decoded);
      CHECK(decoded == positions);
    }
  }
}

TEST_CASE("golomb spends the bits per position that theory gives") {
  // b* + 1 / (1 - (1 - p)^(2^b*)): 10.114 bits at p = 1/400.
  Random random(31);
  const std::size_t elements = 2'000'000;
  for (const auto& [share, expected] : {std::pair{1.0 / 400, 10.114}, std::pair{0.01, 0.0}, std::pair{0.1, 0.0}}) {
    const auto count = static_cast<std::size_t>(share * static_cast<double>(elements));
    const double bits = golomb_bits(count, elements);
    const double formula = bits + 1 / (1 - std::pow(1 - share, std::exp2(bits)));
    if (expected > 0) CHECK(formula == doctest::Approx(expected).epsilon(1e-4));
    const auto positions = draw_positions(random, count, elements);
    const auto bytes = static_cast<double>(index_bytes(IndexCoder::golomb, positions, elements));
    CAPTURE(share);
    CHECK(8 * bytes / static_cast<double>(count) == doctest::Approx(formula).epsilon(0.01));
  }
}

TEST_CASE("the smallest index coder is the one with the fewest bytes") {
  Random random(41);
  for (const std::size_t elements : {1, 40, 100003}) {
    for (const double share : {0.0, 0.0001, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0}) {
      const auto positions =
          draw_positions(random, static_cast<std::size_t>(share * static_cast<double>(elements)), elements);
      const std::size_t chosen = index_bytes(smallest_index_coder(positions, elements), positions, elements);
      for (std::uint8_t coder = 0; coder < kIndexCoders; ++coder) {
        CHECK(chosen <= index_bytes(static_cast<IndexCoder>(coder), positions, elements));
      }
    }
  }
}

TEST_CASE("value coders err by no more than their format's rounding") {
  Random random(51);
  for (const float magnitude : {1e-6F, 1.0F, 1e3F}) {
    std::vector<float> values(777);
    for (float& value : values) value = magnitude * normal(random);
    const float largest = std::fabs(
        *std::max_element(values.begin(), values.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); }));
    // Half a unit in the last place, relative; below float16's normal range 2^-25, absolute.
    const float relative[] = {0, 0x1p-11F, 0x1p-8F, 0};
    const float absolute[] = {0, 0x1p-25F, 0, largest / 254 * 1.0001F};
    for (std::uint8_t coder = 0; coder < kPlainCoders; ++coder) {
      const auto how = static_cast<ValueCoder>(coder);
      std::vector<std::byte> bytes(value_bytes(how, values.size()));
      encode_values(how, values, bytes);
      std::vector<float> decoded(values.size());
      decode_values(how, bytes, 0, decoded);
      bool within = true;
      for (std::size_t i = 0; i < values.size(); ++i) {
        within &= std::fabs(decoded[i] - values[i]) <= relative[coder] * std::fabs(values[i]) + absolute[coder];
      }
      CAPTURE(magnitude);
      CAPTURE(coder);
      CHECK(within);
    }
  }
}

TEST_CASE("value coders keep every finite float finite") {
  const std::vector<float> extremes = {3.4028235e38F, -3.4028235e38F, 65520.0F, -70000.0F,
                                       1e-45F,        -1e-40F,        0.0F,     -0.0F};
  for (std::uint8_t coder = 0; coder < kPlainCoders; ++coder) {
    for (const float value : extremes) {
      const auto how = static_cast<ValueCoder>(coder);
      std::vector<std::byte> bytes(value_bytes(how, 1));
      encode_values(how, {&value, 1}, bytes);
      float decoded = 0;
      decode_values(how, bytes, 0, {&decoded, 1});
      CAPTURE(coder);
      CAPTURE(value);
      CHECK(std::isfinite(decoded));
      CHECK(std::fabs(decoded) <= std::fabs(value) * 1.004F + 1e-44F);
    }
  }
}

TEST_CASE("sums of sparse vectors equal sums of dense ones") {
  Random random(61);
  for (const auto& [count_a, count_b] : {std::pair{0, 0}, std::pair{0, 9}, std::pair{500, 40}, std::pair{1009, 1009}}) {
    const std::size_t elements = 1009;
    const SparseVector a = draw_entries(random, static_cast<std::size_t>(count_a), elements);
    const SparseVector b = draw_entries(random, static_cast<std::size_t>(count_b), elements);
    SparseVector sum;
    add_sparse(a, b, sum);
    std::vector<float> dense(elements);
    std::vector<float> oracle(elements);
    for (const SparseVector* part : {&a, &b}) {
      for (std::size_t i = 0; i < part->size(); ++i) oracle[part->indices()[i]] += part->values()[i];
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      CHECK((i == 0 || sum.indices()[i - 1] < sum.indices()[i]));
      dense[sum.indices()[i]] = sum.values()[i];
    }
    CHECK(dense == oracle);
  }
}

TEST_CASE("a sparse payload turns dense exactly when that is not larger") {
  Random random(71);
  const std::size_t elements = 4000;
  for (std::uint8_t values = 0; values < kPlainCoders; ++values) {
    for (const std::size_t count : {0, 40, 2000, 3700, 3990, 4000}) {
      const SparseVector entries = draw_entries(random, count, elements);
      const SparseCoders coders{static_cast<ValueCoder>(values), IndexCoder::bitmap};
      std::vector<std::byte> slot(max_sparse_payload(coders.values, elements));
      const Bytes bytes = write_sparse(entries, elements, coders, slot);
      const std::size_t sparse = value_bytes(coders.values, count) + elements / 8;
      const std::size_t dense = value_bytes(coders.values, elements);
      CAPTURE(values);
      CAPTURE(count);
      CHECK(SparsePayload::parse(bytes, elements).dense == (dense <= sparse));
      CHECK(bytes.size() == kSparseHeaderBytes + std::min(dense, sparse));
    }
  }
}

}  // namespace gossamer
