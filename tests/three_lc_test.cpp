#include <limits>

#include "compress/zero_runs.hpp"
#include "tests/codec_probes.hpp"

namespace gossamer {
namespace {

using Payload = std::vector<std::byte>;

constexpr std::size_t kHeader = 12;

TEST_CASE("3lc: five values make a byte of base-3 digits, lowest power first") {
  Subject subject("3lc", {2.0F, -2.0F, 0.0F, 0.9F, 1.1F});
  const Payload payload = subject.encode();
  REQUIRE(payload.size() == kHeader + 1);
  CHECK(static_cast<int>(payload[kHeader]) == 2 + 0 * 3 + 1 * 9 + 1 * 27 + 2 * 81);
  CHECK(subject.decode(payload, 5) == std::vector<float>{2.0F, -2.0F, 0.0F, 0.0F, 2.0F});
}

TEST_CASE("3lc: 20 times less without zeros, 280 times with nothing else") {
  constexpr std::size_t kCount = 320 * 700;
  std::vector<float> values(kCount, 1.0F);
  for (std::size_t i = 0; i < kCount; i += 3) values[i] = -1.0F;
  Subject full("3lc", values);
  CHECK(full.encode().size() == kHeader + 4 * kCount / 20);
  Subject empty("3lc", std::vector<float>(kCount, 0.0F));
  CHECK(empty.encode().size() == kHeader + 4 * kCount / 280);
  CHECK(empty.decode(empty.encode(), kCount) == empty.values());
}

TEST_CASE("3lc: runs of zero bytes of every length come back, 2 to 14 of them as one byte") {
  for (std::size_t length = 0; length < 100; ++length) {
    for (const std::size_t before : {std::size_t{0}, std::size_t{1}, std::size_t{7}}) {
      INFO(length, " zeros behind ", before, " other bytes");
      Payload bytes(before, std::byte{5});
      bytes.insert(bytes.end(), length, std::byte{zero_runs::kZeros});
      bytes.insert(bytes.end(), 9, std::byte{242});
      Payload shortened(bytes.size());
      zero_runs::Writer writer(shortened.data());
      writer.put(bytes);
      const std::size_t size = writer.finish();
      CHECK(size == before + (length + 13) / 14 + 9);
      zero_runs::Reader reader(Bytes(shortened).first(size));
      Payload back(bytes.size());
      CHECK(reader.get(back));
      CHECK(back == bytes);
      CHECK(reader.at_end());
    }
  }
}

TEST_CASE("3lc: runs go on from one piece to the next") {
  const Payload bytes(200, std::byte{zero_runs::kZeros});
  Payload whole(200);
  zero_runs::Writer once(whole.data());
  once.put(bytes);
  whole.resize(once.finish());
  Payload parts(200);
  zero_runs::Writer often(parts.data());
  for (std::size_t at = 0; at < 200; at += 5) often.put(Bytes(bytes).subspan(at, 5));
  parts.resize(often.finish());
  CHECK(parts == whole);
  zero_runs::Reader reader(parts);
  Payload back(40);
  for (std::size_t at = 0; at < 200; at += 40) {
    CHECK(reader.get(back));
    CHECK(back == Payload(40, std::byte{zero_runs::kZeros}));
  }
  CHECK(reader.at_end());
  CHECK_FALSE(reader.get(std::span(back).first(1)));
}

TEST_CASE("3lc: a larger multiplier sends fewer values and fewer bytes, and the largest always") {
  std::size_t sent_before = 1009;
  std::size_t bytes_before = std::numeric_limits<std::size_t>::max();
  for (const std::string sparsity : {"1.0", "1.5", "1.75", "1.9", "1.99"}) {
    INFO("sparsity ", sparsity, ", seed 61");
    Subject subject("3lc:sparsity=" + sparsity, make_input("normal", 1009, 61));
    const Payload payload = subject.encode();
    const std::vector<float> decoded = subject.decode(payload, 1009);
    const auto sent = static_cast<std::size_t>(std::ranges::count_if(decoded, [](float x) { return x != 0.0F; }));
    CHECK(sent >= 1);
    CHECK(sent <= sent_before);
    CHECK(payload.size() <= bytes_before);
    sent_before = sent;
    bytes_before = payload.size();
  }
}

TEST_CASE("3lc: no error exceeds the value's own size, so that encoding contracts") {
  for (const std::string_view pattern : kPatterns) {
    Subject subject("3lc", make_input(pattern, 1009, 62));
    const std::vector<float> decoded = subject.decode(subject.encode(), 1009);
    std::size_t larger = 0;
    for (std::size_t i = 0; i < 1009; ++i) {
      const double size = std::abs(static_cast<double>(subject.values()[i]));
      const double error = std::abs(static_cast<double>(decoded[i]) - static_cast<double>(subject.values()[i]));
      larger += error > size + 0x1p-149 ? 1 : 0;
    }
    INFO(std::string(pattern), ", seed 62");
    CHECK(larger == 0);
  }
}

TEST_CASE("3lc: the largest and the smallest floats are sent, whatever the multiplier") {
  const float largest = std::numeric_limits<float>::max();
  const float smallest = std::numeric_limits<float>::denorm_min();
  for (const std::string spec : {"3lc", "3lc:sparsity=1.5", "3lc:sparsity=1.99"}) {
    INFO(spec);
    Subject big(spec, {largest, -largest, 0.0F});
    CHECK(big.decode(big.encode(), 3) == big.values());
    Subject small(spec, {smallest, -smallest, 0.0F});
    CHECK(small.decode(small.encode(), 3) == small.values());
  }
}

TEST_CASE("3lc: impossible scales, and runs that end elsewhere than the values, are corrupt") {
  Subject subject("3lc", std::vector<float>(70, 0.0F));
  const Payload good = subject.encode();
  REQUIRE(good.size() == kHeader + 1);
  CHECK(status_of_decode(subject, good) == Status::ok);
  CHECK(status_of_decode(subject, with_bytes(good, kHeader, std::uint8_t{254})) == Status::corrupt);
  Payload longer = with_bytes(good, kHeader, std::uint8_t{254});
  longer.push_back(std::byte{243});
  CHECK(status_of_decode(subject, longer) == Status::corrupt);
  longer.back() = std::byte{121};
  CHECK(status_of_decode(subject, longer) == Status::ok);
  for (const float scale : {-1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    CHECK(status_of_decode(subject, with_bytes(good, 8, scale)) == Status::corrupt);
  }
}

TEST_CASE("3lc: multipliers out of range are refused by name") {
  check_refused({"3lc:sparsity=0.99", "3lc:sparsity=2", "3lc:sparsity=x"});
}

}  // namespace
}  // namespace gossamer
