#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/codec_cases.hpp"

#ifndef GOSSAMER_TEST_DATA
#define GOSSAMER_TEST_DATA std::filesystem::path(__FILE__).parent_path().string()
#endif

/// Payload bytes that must never change without a new layout version in the codec's name: tests/golden/<codec>.bin, one
/// per registry entry. GOSSAMER_WRITE_GOLDEN=1 in the environment writes them anew instead of comparing.
///
/// A file holds records of a u32 size and its bytes: for a codec the payload of one rank and, if payloads merge, that
/// of three ranks; for a linear codec the vector of each round of one rank, as floats.
namespace gossamer {
namespace {

using Record = std::vector<std::byte>;

constexpr std::size_t kRows = 37;
constexpr std::size_t kColumns = 27;

std::filesystem::path golden_path(std::string_view codec) {
  return std::filesystem::path(GOSSAMER_TEST_DATA) / "golden" / sentence(codec, ".bin");
}

/// Multiples of 2^-12 below 8 in size, from integers alone: the same on every machine, and their sums and squares are
/// exact in double.
std::vector<float> golden_input(std::uint32_t rank) {
  std::vector<float> values(kRows * kColumns);
  std::uint32_t state = 12345 + rank;
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(static_cast<std::int32_t>(state) >> 16) * 0x1p-12F;
  }
  return values;
}

std::string spec_of(std::string_view codec) {
  for (const CodecCase& line : codec_cases()) {
    if (Spec::parse(line.spec).name == codec) return line.spec;
  }
  for (const LinearCase& line : linear_cases()) {
    if (Spec::parse(line.spec).name == codec) return line.spec;
  }
  return std::string(codec);
}

std::vector<Record> codec_records(const std::string& spec) {
  std::vector<Subject> ranks;
  for (std::uint32_t rank = 0; rank < 3; ++rank) ranks.emplace_back(spec, golden_input(rank), rank);
  share_maxima(ranks);
  std::vector<Record> records = {ranks[0].encode()};
  if (ranks[0].mergeable() != nullptr) {
    records.push_back(ranks[0].merge(ranks[0].merge(records[0], ranks[1].encode()), ranks[2].encode()));
  }
  return records;
}

std::vector<Record> linear_records(LinearCodec& codec) {
  std::vector<float> values = golden_input(0);
  StepContext context;
  context.shared = {42, 1, 0};
  context.own = {42, 1, 1};
  codec.begin(chunk_of(values), context);
  if (Learner* learner = learner_of(codec)) {
    learner->learn(values);
    codec.begin(chunk_of(values), context);
  }
  std::vector<Record> records;
  for (int round = 0; round < codec.rounds(); ++round) {
    if (!runs(codec, round)) continue;
    std::vector<float> vector(codec.round_count(round));
    codec.project(round, 0, vector);
    codec.absorb(round, vector);
    const Bytes bytes = std::as_bytes(std::span(vector));
    records.emplace_back(bytes.begin(), bytes.end());
  }
  return records;
}

void write_records(const std::filesystem::path& path, const std::vector<Record>& records) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  for (const Record& record : records) {
    const auto size = static_cast<std::uint32_t>(record.size());
    file.write(reinterpret_cast<const char*>(&size), sizeof(size));
    file.write(reinterpret_cast<const char*>(record.data()), static_cast<std::streamsize>(record.size()));
  }
}

std::vector<Record> read_records(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ByteReader reader(std::as_bytes(std::span(text)));
  std::vector<Record> records;
  while (reader.remaining() > 0) {
    const Bytes bytes = reader.take(reader.get<std::uint32_t>());
    records.emplace_back(bytes.begin(), bytes.end());
  }
  return records;
}

/// Floats that are sums, whose order depends on the instruction set: compared to 2^-12 of the largest.
bool close_floats(Bytes a, Bytes b) {
  if (a.size() != b.size() || a.size() % sizeof(float) != 0) return false;
  const std::size_t count = a.size() / sizeof(float);
  std::vector<float> x(count);
  std::vector<float> y(count);
  std::memcpy(x.data(), a.data(), a.size());
  std::memcpy(y.data(), b.data(), b.size());
  float largest = 0.0F;
  for (const float value : x) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < count; ++i) {
    if (!(std::abs(x[i] - y[i]) <= largest * 0x1p-12F)) return false;
  }
  return true;
}

/// Of the vectors of linear codecs no byte must be the same, of lowrank's payload the header, of others all.
bool same_record(const CodecEntry& entry, bool linear, const Record& a, const Record& b) {
  constexpr std::size_t kLowRankHeader = 20;
  if (!linear && entry.name != "lowrank") return a == b;
  const std::size_t exact = linear ? 0 : kLowRankHeader;
  return a.size() >= exact && b.size() >= exact && std::equal(a.begin(), a.begin() + exact, b.begin()) &&
         close_floats(Bytes(a).subspan(exact), Bytes(b).subspan(exact));
}

TEST_CASE("golden payloads: every registered codec still writes the bytes it wrote") {
  for (const CodecEntry& entry : codecs()) {
    const std::string spec = spec_of(entry.name);
    INFO("codec ", spec, "; GOSSAMER_WRITE_GOLDEN=1 writes ", golden_path(entry.name).string());
    const CodecChoice choice = make_codec(spec, Shape{DType::float32, {kRows, kColumns}});
    auto* linear = dynamic_cast<LinearCodec*>(choice.codec.get());
    const std::vector<Record> records = linear != nullptr ? linear_records(*linear) : codec_records(spec);
    if (std::getenv("GOSSAMER_WRITE_GOLDEN") != nullptr) write_records(golden_path(entry.name), records);
    REQUIRE_MESSAGE(std::filesystem::exists(golden_path(entry.name)), "the golden file is missing");
    const std::vector<Record> golden = read_records(golden_path(entry.name));
    REQUIRE(golden.size() == records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      INFO("record ", i);
      CHECK(same_record(entry, linear != nullptr, golden[i], records[i]));
    }
  }
}

TEST_CASE("golden payloads: what was written then still decodes within the bound") {
  for (const CodecCase& codec : codec_cases()) {
    const std::string name = Spec::parse(codec.spec).name;
    if (spec_of(name) != codec.spec) continue;
    INFO("codec ", codec.spec);
    const std::vector<Record> golden = read_records(golden_path(name));
    REQUIRE_FALSE(golden.empty());
    std::vector<Subject> ranks;
    for (std::uint32_t rank = 0; rank < 3; ++rank) ranks.emplace_back(codec.spec, golden_input(rank), rank);
    const std::vector<float> values = golden_input(0);
    // A scale shared by three ranks may exceed what one rank's bound allows; the others do not depend on them.
    if (dynamic_cast<SharedMaxima*>(&ranks[0].codec()) != nullptr) continue;
    CHECK(codec.bound(values, 0, ranks[0].decode(golden[0], values.size())) == "");
  }
}

}  // namespace
}  // namespace gossamer
