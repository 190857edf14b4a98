#include "compress/packed_values.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "compress/sparse_payload.hpp"
#include "tests/codec_cases.hpp"

/// Values in a few bits, and the methods that send them: stc, qsparse.
namespace gossamer {
namespace {

double squared_norm(std::span<const float> values) {
  double sum = 0.0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

SparseVector entries_of(std::span<const float> values) {
  SparseVector entries;
  entries.resize(values.size());
  std::copy(values.begin(), values.end(), entries.values().begin());
  for (std::size_t i = 0; i < values.size(); ++i) entries.indices()[i] = static_cast<std::uint32_t>(i);
  return entries;
}

/// Bits of a Golomb-coded position among elements that are kept with probability p (Sattler et al., 2019).
double golomb_bits_per_position(double p) {
  const double golden = (std::sqrt(5.0) + 1) / 2;
  const double remainder = 1 + std::floor(std::log2(std::log(golden - 1) / std::log(1 - p)));
  return remainder + 1 / (1 - std::pow(1 - p, std::pow(2, remainder)));
}

}  // namespace

TEST_CASE("stc takes 10.114 + 1 bits for an entry at 1/400, 1152 times less than dense floats") {
  CHECK(golomb_bits_per_position(1.0 / 400) == doctest::Approx(10.114).epsilon(1e-4));
  constexpr std::size_t kCount = 2'000'000;
  INFO("seed 21");
  Subject stc("stc:ratio=0.0025", make_input("normal", kCount, 21));
  const std::vector<std::byte> payload = stc.encode();
  const double entries = kCount / 400.0;
  const double header = kSparseHeaderBytes + sizeof(float) + 1;
  const double bits = 8 * (static_cast<double>(payload.size()) - header) / entries;
  // Gaps are geometric: 5000 of them have a mean length within a few hundredths of a bit.
  CHECK(bits == doctest::Approx(golomb_bits_per_position(1.0 / 400) + 1).epsilon(0.005));
  CHECK(4.0 * kCount / (static_cast<double>(payload.size()) - header) == doctest::Approx(1152).epsilon(0.005));
}

TEST_CASE("stc sends the mean magnitude of the largest values with their signs") {
  Subject stc("stc:ratio=0.5", {-1.7F, 2.9F, 10.5F, 11.4F, -23.1F, 0.88F, 1.01F, 0, 5.51F, -0.98F});
  const float mean = (2.9F + 10.5F + 11.4F + 23.1F + 5.51F) / 5;
  const std::vector<float> decoded = stc.decode(stc.encode(), 10);
  const std::vector<float> expected = {0, mean, mean, mean, -mean, 0, 0, 0, mean, 0};
  for (std::size_t i = 0; i < decoded.size(); ++i) CHECK(decoded[i] == doctest::Approx(expected[i]).epsilon(1e-6));
}

TEST_CASE("signs of all values leave behind what theory says: |x|^2 - |x|_1^2 / d") {
  std::vector<float> values = make_input("normal", 10007, 22);
  Subject sign("topk:ratio=1,values=sign", values);
  double sum = 0.0;
  for (const float value : values) sum += std::abs(static_cast<double>(value));
  const double expected = squared_norm(values) - sum * sum / static_cast<double>(values.size());
  const std::vector<std::byte> payload = sign.encode();
  CHECK(payload.size() == kSparseHeaderBytes + 4 + (values.size() + 7) / 8);
  sign.codec().accumulate(payload, -1, chunk_of(values));
  CHECK(squared_norm(values) == doctest::Approx(expected).epsilon(1e-5));
}

TEST_CASE("qsparse rounds what it keeps without bias, with the variance of its levels") {
  constexpr std::size_t kCount = 2000;
  constexpr std::size_t kKept = 100;
  constexpr int kDraws = 2000;
  INFO("seed 23, calls 1 to 2000");
  const std::vector<float> values = make_input("normal", kCount, 23);
  Subject exact("topk:ratio=0.05", values);
  const std::vector<float> kept = exact.decode(exact.encode(), kCount);
  Subject qsparse("qsparse:ratio=0.05,levels=3", values);
  std::vector<double> sum(kCount);
  double squares = 0.0;
  for (int draw = 0; draw < kDraws; ++draw) {
    qsparse.begin(0, static_cast<std::uint32_t>(draw + 1));
    const std::vector<float> decoded = qsparse.decode(qsparse.encode(), kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      sum[i] += decoded[i];
      squares += std::pow(static_cast<double>(decoded[i]) - kept[i], 2);
    }
  }
  double largest = 0.0;
  for (const float value : kept) largest = std::max(largest, std::abs(static_cast<double>(value)));
  const double unit = largest / 3;
  double variance = 0.0;
  double worst = 0.0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double level = std::abs(static_cast<double>(kept[i])) / unit;
    const double of_one = unit * unit * (level - std::floor(level)) * (1 - level + std::floor(level));
    variance += of_one;
    const double deviation = std::sqrt(of_one / kDraws) + 1e-6 * unit;
    worst = std::max(worst, std::abs(sum[i] / kDraws - kept[i]) / deviation);
  }
  CHECK(worst < 4.6);  // 100 values at once, 1 in 2000 by chance
  CHECK(squares / kDraws == doctest::Approx(variance).epsilon(4.0 / std::sqrt(kKept * kDraws)));
}

TEST_CASE("qsparse contracts as its paper's operators do") {
  constexpr std::size_t kCount = 20000;
  INFO("seed 24");
  const std::vector<float> values = make_input("normal", kCount, 24);
  const double norm = squared_norm(values);
  for (const auto& [levels, k] : {std::pair{127.0, 1000.0}, std::pair{64.0, 2000.0}, std::pair{7.0, 20.0}}) {
    INFO(levels, " levels, k = ", k);
    Subject qsparse(sentence("qsparse:ratio=", k / kCount, ",levels=", levels), values);
    double error = 0.0;
    for (std::uint32_t draw = 1; draw <= 20; ++draw) {
      qsparse.begin(0, draw);
      std::vector<float> left = values;
      qsparse.codec().accumulate(qsparse.encode(), -1, chunk_of(left));
      error += squared_norm(left) / 20;
    }
    const double gamma = (1 - std::min(k / (levels * levels), std::sqrt(k) / levels)) * k / kCount;
    CHECK(error <= (1 - gamma) * norm);
  }
}

TEST_CASE("log4 keeps the nearest powers of two, down to a 128th of the largest") {
  const std::vector<float> values = {1.0F, -0.74F, 0.76F, 1.49F, 0.0117F, -0.0116F, 0.004F, 0.0058F};
  SparseVector entries = entries_of(values);
  const float unit = round_values(ValueCoder::log4, entries, {});
  CHECK(unit == 1.0F);
  // 0.0117 is 0.749 of 2^-6; 0.0058 is 0.742 of 2^-7.
  const std::vector<float> kept = {1.0F, -0.5F, 1.0F, 1.0F, 0x1p-7F, -0x1p-7F};
  CHECK(std::equal(kept.begin(), kept.end(), entries.values().begin(), entries.values().end()));
  CHECK(entries.indices().back() == 5);
}

TEST_CASE("indices beyond 2^24 are exact, whatever writes them (B6)") {
  constexpr std::size_t kElements = (1U << 24) + 3;
  const std::vector<std::uint32_t> indices = {0, 7, (1U << 24) - 1, 1U << 24, (1U << 24) + 1, (1U << 24) + 2};
  SparseVector entries;
  entries.resize(indices.size());
  std::copy(indices.begin(), indices.end(), entries.indices().begin());
  std::fill(entries.values().begin(), entries.values().end(), 1.5F);
  std::vector<std::byte> slot(kSparseHeaderBytes + kElements / 8 + 64);
  for (std::uint8_t coder = 0; coder < kIndexCoders; ++coder) {
    INFO("index coder ", +coder);
    const Bytes payload = write_sparse(entries, kElements, {{}, static_cast<IndexCoder>(coder)}, slot);
    SparseVector decoded;
    read_entries(SparsePayload::parse(payload, kElements), decoded);
    CHECK(std::equal(indices.begin(), indices.end(), decoded.indices().begin(), decoded.indices().end()));
  }
}

TEST_CASE("hostile units, levels and codes are corrupt") {
  Subject qsparse("qsparse:ratio=1,levels=5", make_input("normal", 100, 25));
  const std::vector<std::byte> good = qsparse.encode();
  const auto with_float = [&](float unit) {
    std::vector<std::byte> bytes = good;
    std::memcpy(bytes.data() + kSparseHeaderBytes, &unit, sizeof(unit));
    return bytes;
  };
  for (const float unit : {-1.0F, -0.0F, std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::max()}) {
    INFO("unit ", unit);
    CHECK_THROWS_AS(qsparse.decode(with_float(unit), 100), Error);
  }
  for (const int levels : {0, 4, 128, 255}) {  // with 4, the code 5 is one too many
    INFO("levels ", levels);
    std::vector<std::byte> bytes = good;
    bytes[10] = static_cast<std::byte>(levels);
    CHECK_THROWS_AS(qsparse.decode(bytes, 100), Error);
  }
}

TEST_CASE("stc and qsparse refuse options out of range") {
  const Shape shape{DType::float32, {100}};
  for (const char* spec : {"stc:ratio=0", "stc:ratio=2", "stc:values=fp32", "qsparse:levels=0", "qsparse:levels=128",
                           "qsparse:levels=2.5", "qsparse:values=fp16", "qsparse:ratio=0"}) {
    INFO(std::string(spec));
    CHECK_THROWS_AS(make_codec(spec, shape), Error);
  }
}

}  // namespace gossamer
