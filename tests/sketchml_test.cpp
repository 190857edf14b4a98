#include <algorithm>
#include <cmath>

#include "compress/minmax_sketch.hpp"
#include "tests/codec_probes.hpp"

/// SketchML: quantile buckets and a sketch of their numbers. Values only shrink.
namespace gossamer {
namespace {

TEST_CASE("sketchml: no value grows, flips its sign, or appears where none was kept") {
  for (const std::string spec :
       {"sketchml:ratio=0.05", "sketchml:ratio=0.3,buckets=64", "sketchml:ratio=0.1,buckets=1024"}) {
    for (const std::string_view pattern : kPatterns) {
      INFO(spec, ", ", std::string(pattern), ", seed 91");
      Subject subject(spec, make_input(pattern, 100003, 91));
      const std::vector<float> decoded = subject.decode(subject.encode(), 100003);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < decoded.size(); ++i) {
        const float value = subject.values()[i];
        wrong += decoded[i] != 0 &&
                 (std::signbit(decoded[i]) != std::signbit(value) || std::abs(decoded[i]) > std::abs(value));
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("sketchml: a value stays within its group of buckets, an eighth of those kept") {
  INFO("seed 92");
  constexpr std::size_t kCount = 100000;
  Subject subject("sketchml:ratio=0.1", make_input("normal", kCount, 92));
  const std::vector<float> decoded = subject.decode(subject.encode(), kCount);
  std::vector<double> kept;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (decoded[i] != 0) kept.push_back(std::abs(static_cast<double>(subject.values()[i])));
  }
  REQUIRE(kept.size() == kCount / 10);
  std::sort(kept.begin(), kept.end());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (decoded[i] == 0) continue;
    const double value = std::abs(static_cast<double>(subject.values()[i]));
    const auto rank = static_cast<std::size_t>(std::lower_bound(kept.begin(), kept.end(), value) - kept.begin());
    const double least = kept[rank / (kept.size() / 8) * (kept.size() / 8)];
    wrong += std::abs(static_cast<double>(decoded[i])) < least * (1 - 1e-6) ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("sketchml: the sketch has six cells for ten values, and no query exceeds what was inserted") {
  constexpr std::size_t kMembers = 1000;
  std::vector<std::uint8_t> cells(MinMaxSketch::kRows * MinMaxSketch::columns_for(kMembers));
  CHECK(cells.size() == 600);
  MinMaxSketch sketch(cells);
  sketch.clear();
  std::mt19937 random(93);
  std::vector<std::pair<std::uint32_t, std::uint8_t>> inserted;
  for (std::size_t i = 0; i < kMembers; ++i) inserted.emplace_back(random(), static_cast<std::uint8_t>(random() % 32));
  for (const auto& [key, number] : inserted) sketch.insert(key, number);
  std::size_t exact = 0;
  for (const auto& [key, number] : inserted) {
    CHECK(sketch.query(key) <= number);
    exact += sketch.query(key) == number ? 1 : 0;
  }
  CHECK(exact > kMembers / 10);
}

TEST_CASE(
    "sketchml: at 1 % an entry takes about two bytes, less than positions with a byte for the bucket and a sign") {
  constexpr std::size_t kCount = 1 << 20;
  constexpr std::size_t kKept = 10486;
  INFO("seed 94");
  Subject subject("sketchml:ratio=0.01", make_input("normal", kCount, 94));
  const std::size_t fixed = 8 + 3 + 256 * sizeof(float) + 8 * 9;
  const double bits = 8.0 * static_cast<double>(subject.encode().size() - fixed) / kKept;
  CHECK(bits <= 16.0);
  CHECK(bits < 8.1 + 1 + 8);
}

TEST_CASE("sketchml: nothing to keep, and too little for buckets to pay, go as floats") {
  for (const std::vector<float>& values :
       {std::vector<float>(50, 0.0F), std::vector<float>{3.0F}, std::vector<float>{}}) {
    Subject subject("sketchml", values);
    CHECK(subject.encode().size() == 9 + values.size() * sizeof(float));
    CHECK(subject.decode(subject.encode(), values.size()) == values);
  }
}

TEST_CASE("sketchml: options out of range are refused by name") {
  check_refused({"sketchml:ratio=0", "sketchml:buckets=4", "sketchml:buckets=1032", "sketchml:buckets=100"});
}

}  // namespace
}  // namespace gossamer
