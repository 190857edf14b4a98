// Codes and sums that are mostly zero, written as runs and magnitudes: by their definition, against the bit planes that
// they stand for, and against what theory says of their length.
#include "compress/elias.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "tests/codec_probes.hpp"

namespace gossamer {
namespace {

using Integers = std::vector<std::int32_t>;
using Payload = std::vector<std::byte>;

constexpr elias::Reader::Range kAny{-100'000'000, 100'000'000};
constexpr std::size_t kFormAt = 18;  // of an integer sum's payload

Payload written(const Integers& values) {
  Payload bytes(16 * values.size() + 16);
  elias::Writer writer(bytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) writer.put(i, values[i]);
  }
  bytes.resize(writer.finish(values.size()));
  return bytes;
}

Integers read(Bytes bytes, std::size_t count, const elias::Reader::Range& range = kAny) {
  Integers values(count, 0);
  for (elias::Reader reader(bytes, count, range); reader.position() < count; reader.next()) {
    values[reader.position()] = reader.value();
  }
  return values;
}

/// Of each value, not 0 with probability `share`, and then up to `largest` in size.
Integers draw(std::size_t count, double share, std::int32_t largest, std::uint32_t seed) {
  std::mt19937 random(seed);
  Integers values(count, 0);
  for (std::int32_t& value : values) {
    if (std::uniform_real_distribution<double>(0, 1)(random) >= share) continue;
    value = std::uniform_int_distribution<std::int32_t>(1, largest)(random) * (random() % 2 == 0 ? 1 : -1);
  }
  return values;
}

elias::Tally tally_of(const Integers& values) {
  elias::Tally tally;
  for (const std::int32_t value : values) {
    tally.nonzero += value != 0 ? 1 : 0;
    tally.magnitudes += static_cast<std::uint64_t>(std::abs(std::int64_t{value}));
  }
  return tally;
}

template <typename Action>
void for_all_draws(const Action& action) {
  std::uint32_t seed = 0;
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{64}, std::size_t{5000}}) {
    for (const double share : {0.0, 0.001, 0.03, 0.3, 1.0}) {
      for (const std::int32_t largest : {1, 5, 4095, 4096, 16'000'000}) {
        INFO(count, " integers, ", share, " of them not 0, up to ", largest, ", seed ", ++seed);
        action(draw(count, share, largest, seed), draw(count, share, largest, seed + 1000));
      }
    }
  }
}

/// Codes of ranks with values of their own under common scales.
std::vector<Payload> payloads_of(const std::string& spec, std::size_t count, std::uint32_t ranks) {
  std::vector<Subject> subjects;
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    subjects.emplace_back(spec, make_input("normal", count, 80 + rank), rank);
  }
  share_maxima(subjects);
  std::vector<Payload> payloads;
  for (Subject& subject : subjects) payloads.push_back(subject.encode());
  return payloads;
}

double bits_of(const Payload& payload, std::size_t count) {
  return 8 * static_cast<double>(payload.size() - 24) / static_cast<double>(count);  // header and one unit
}

TEST_CASE("elias: a gap, a sign and a magnitude as gamma codes, low bits first") {
  // Gaps + 1: 3, 1, 5; signs +, -, +; magnitudes 1, 2, 7; then 2 zeros:
  // 011 0 1 | 1 1 010 | 00101 0 00111.. read from the low end of each byte
  // 3 = 0 1 1, 1 = 1, 5 = 0 0 1 1 0 (low bits of 5 = 101: 1, 0), 2 = 0 1 0, 7 = 0 0 1 1 1.
  const Integers values = {0, 0, 1, -2, 0, 0, 0, 0, 7, 0, 0};
  const std::string bits =
      "011"
      "0"
      "1"
      "1"
      "1"
      "010"
      "00110"
      "0"
      "00111"
      "011";
  Payload expected((bits.size() + 7) / 8);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    expected[i / 8] |= static_cast<std::byte>((bits[i] == '1' ? 1U : 0U) << i % 8);
  }
  CHECK(written(values) == expected);
  CHECK(read(expected, values.size()) == values);
  CHECK(written({}).empty());
  CHECK(written({5}).size() == 1);  // nothing follows the last
}

TEST_CASE("elias: integers come back, in no more bytes than their tally allows") {
  for_all_draws([](const Integers& values, const Integers&) {
    const Payload bytes = written(values);
    CHECK(read(bytes, values.size()) == values);
    CHECK(bytes.size() <= elias::max_bytes(values.size(), tally_of(values)));
  });
}

TEST_CASE("elias: a sum is never longer than both terms, also where they cancel") {
  for_all_draws([](const Integers& a, const Integers& b) {
    Integers c = a;
    for (std::size_t i = 0; i < c.size(); i += 2) c[i] = -c[i];
    for (const Integers& other : {b, c}) {
      Integers sum = a;
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
      CHECK(written(sum).size() <= written(a).size() + written(other).size());
    }
  });
}

TEST_CASE("elias: independent integers take the expected bytes") {
  for (const double share : {0.001, 0.01, 0.1, 0.4}) {
    constexpr std::size_t kCount = 400000;
    const auto bytes = static_cast<double>(written(draw(kCount, share, 1, 70)).size());
    INFO(share, " of ", kCount, ", seed 70");
    // The number of codes alone deviates by 1/sqrt(share · count), up to 5 %.
    CHECK(bytes == doctest::Approx(static_cast<double>(elias::expected_bytes(kCount, share)))
                       .epsilon(4 / std::sqrt(share * kCount)));
  }
}

TEST_CASE("elias: bytes that end early, go on, or hold what cannot be are corrupt") {
  const Integers values = draw(3000, 0.1, 30, 71);
  const Payload bytes = written(values);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CHECK_THROWS_AS(read(Bytes(bytes).first(length), values.size()), Error);
  }
  Payload longer = bytes;
  longer.push_back(std::byte{0});
  CHECK_THROWS_AS(read(longer, values.size()), Error);
  CHECK_THROWS_AS(read(bytes, values.size() - 1), Error);
  CHECK_THROWS_AS(read(bytes, values.size(), {-29, 30}), Error);
  CHECK_THROWS_AS(read(bytes, values.size(), {-30, 29}), Error);
  CHECK_THROWS_AS(read(Payload(12), 100), Error);
  std::mt19937 random(72);
  for (int i = 0; i < 2000; ++i) {
    Payload garbage(random() % 40);
    for (std::byte& byte : garbage) byte = static_cast<std::byte>(random());
    try {
      for (const std::int32_t value : read(garbage, 1000, {-50, 50})) REQUIRE(std::abs(value) <= 50);
    } catch (const Error& error) {
      REQUIRE(error.status() == Status::corrupt);
    }
  }
}

TEST_CASE("qsgd: whatever form its codes and sums are written in, they are the same integers") {
  constexpr std::size_t kCount = 3001;
  constexpr std::uint32_t kRanks = 40;
  for (const std::string levels : {"bits=2,norm=l2,bucket=100", "bits=2,norm=l2", "bits=3,norm=l2,bucket=0",
                                   "bits=8,bucket=0,norm=l2", "bits=2"}) {
    const bool switches = levels == "bits=2,norm=l2,bucket=100";
    const std::vector<Payload> dense = payloads_of("qsgd:coding=planes," + levels, kCount, kRanks);
    Subject planes("qsgd:coding=planes," + levels, std::vector<float>(kCount));
    for (const std::string coding : {"auto", "elias"}) {
      const std::string spec = "qsgd:coding=" + coding + "," + levels;
      INFO(spec, ", seeds 80 and on");
      const std::vector<Payload> codes = payloads_of(spec, kCount, kRanks);
      Subject either(spec, std::vector<float>(kCount));
      Payload expected = dense[0];
      Payload chain = codes[0];
      Payload late = codes[1];
      for (std::uint32_t rank = 1; rank < kRanks; ++rank) {
        CHECK(chain.size() <= expected.size());
        expected = planes.merge(expected, dense[rank]);
        chain = either.merge(chain, codes[rank]);
        if (rank > 1) late = either.merge(codes[rank], late);
        CHECK(either.decode(chain, kCount) == planes.decode(expected, kCount));
      }
      // What fills up goes on as planes.
      if (switches && coding == "auto") CHECK((codes[0][kFormAt] == std::byte{2} && chain[kFormAt] == std::byte{0}));
      CHECK(either.decode(either.merge(late, codes[0]), kCount) == planes.decode(expected, kCount));
    }
  }
}

TEST_CASE("qsgd: of a normal tensor s(s + √d) codes at most are not 0, and at s = √d a value takes 3.0 bits at most") {
  for (const auto& [bits, root] : {std::pair{2, 100}, std::pair{3, 100}, std::pair{5, 100}, std::pair{8, 127}}) {
    const std::size_t count = static_cast<std::size_t>(root) * static_cast<std::size_t>(root);
    const std::string spec = sentence("qsgd:coding=elias,norm=l2,bucket=0,bits=", bits);
    Subject subject(spec, make_input("normal", count, 90));
    const Payload payload = subject.encode();
    const std::vector<float> decoded = subject.decode(payload, count);
    const auto nonzero = static_cast<double>(std::ranges::count_if(decoded, [](float x) { return x != 0; }));
    const double levels = std::exp2(bits - 1) - 1;
    INFO(spec, ", seed 90: ", nonzero, " codes, ", bits_of(payload, count), " bits a value");
    CHECK(payload[kFormAt] == std::byte{2});
    CHECK(nonzero <= levels * (levels + root));
    if (bits == 8) CHECK(bits_of(payload, count) <= 3.0);
    CHECK(static_cast<double>(subject.codec().typical_payload(count)) ==
          doctest::Approx(static_cast<double>(payload.size())).epsilon(0.15));
  }
}

TEST_CASE("qsgd: impossible forms and codes are corrupt") {
  Subject sparse("qsgd:bits=2,norm=l2", make_input("normal", 2000, 91));
  const Payload payload = sparse.encode();
  REQUIRE(payload[kFormAt] == std::byte{2});
  CHECK(status_of_decode(sparse, payload) == Status::ok);
  CHECK(status_of_decode(sparse, with_bytes(payload, kFormAt, std::uint16_t{1})) == Status::corrupt);
  CHECK(status_of_decode(sparse, with_bytes(payload, kFormAt, std::uint16_t{0})) == Status::corrupt);
  Subject planes("qsgd:bits=2,norm=l2,coding=planes", make_input("normal", 2000, 91));
  CHECK(status_of_decode(planes, payload) == Status::corrupt);
  check_refused({"qsgd:coding=gamma"});
}

}  // namespace
}  // namespace gossamer
