#include <doctest/doctest.h>

#include <cstring>
#include <set>

#include "tests/codec_cases.hpp"

/// The laws of every Codec, for every line of codec_cases(): see compress/codec.hpp.
namespace gossamer {
namespace {

template <typename Law>
void for_all_inputs(const Law& law) {
  for (const std::string_view pattern : kPatterns) {
    for (const std::size_t count : kCounts) {
      const std::vector<float> input = make_input(pattern, count, 7);
      for (const CodecCase& codec : codec_cases()) {
        INFO("codec ", codec.spec, ", input '", std::string(pattern), "' of ", count, " values, seed 7");
        law(codec, input);
      }
    }
  }
}

/// Chunk boundaries that cover `count` values, of uneven lengths.
std::vector<std::pair<std::size_t, std::size_t>> uneven_chunks(std::size_t count) {
  std::vector<std::pair<std::size_t, std::size_t>> chunks;
  std::size_t length = 1;
  for (std::size_t at = 0; at < count; at += chunks.back().second, length = length * 3 + 2) {
    chunks.emplace_back(at, std::min(length, count - at));
  }
  return chunks;
}

double double_of(float value) {
  return static_cast<double>(value);
}

TEST_CASE("every registered codec is in the tables of the conformance suite") {
  std::set<std::string> covered;
  for (const CodecCase& codec : codec_cases()) covered.insert(Spec::parse(codec.spec).name);
  for (const LinearCase& codec : linear_cases()) covered.insert(Spec::parse(codec.spec).name);
  for (const CodecEntry& entry : codecs()) {
    INFO("codec ", std::string(entry.name));
    CHECK(covered.contains(std::string(entry.name)));
  }
}

TEST_CASE("codec: the name carries a layout version and starts with the registry name") {
  for (const CodecCase& codec : codec_cases()) {
    INFO("codec ", codec.spec);
    const std::string name(Subject(codec.spec, {1.0F}).codec().name());
    CHECK(name.starts_with(Spec::parse(codec.spec).name));
    const std::size_t dot = name.rfind('.');
    REQUIRE(dot != std::string::npos);
    CHECK(std::stoi(name.substr(dot + 1)) >= 1);
  }
}

TEST_CASE("codec: an unknown key is refused with the known ones, ef is always one of them") {
  for (const CodecCase& codec : codec_cases()) {
    INFO("codec ", codec.spec);
    const std::string name = Spec::parse(codec.spec).name;
    const Shape shape = shape_for(codec.spec, 64);
    CHECK(make_codec(name + ":ef=on", shape).error_feedback);
    CHECK_FALSE(make_codec(name + ":ef=off", shape).error_feedback);
    try {
      make_codec(name + ":no_such_key=1", shape);
      FAIL_CHECK("no_such_key was accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::argument);
      CHECK(std::string(error.what()).find("no_such_key") != std::string::npos);
      CHECK(std::string(error.what()).find("ef") != std::string::npos);
    }
  }
}

TEST_CASE("codec: payloads stay within max_payload and leave the input alone") {
  for_all_inputs([](const CodecCase& codec, std::vector<float> values) {
    Subject subject(codec.spec, values);
    const std::vector<std::byte> payload = subject.encode();
    CHECK(payload.size() <= subject.codec().max_payload(values.size()));
    CHECK(subject.codec().typical_payload(values.size()) <= subject.codec().max_payload(values.size()));
    CHECK(subject.values() == values);
  });
}

TEST_CASE("codec: decoded values obey the codec's error bound") {
  for_all_inputs([](const CodecCase& codec, std::vector<float> values) {
    Subject subject(codec.spec, values);
    CHECK(codec.bound(values, 0, subject.decode(subject.encode(), values.size())) == "");
  });
}

TEST_CASE("codec: the same input gives the same bytes, in one object and in another") {
  for_all_inputs([](const CodecCase& codec, std::vector<float> values) {
    Subject first(codec.spec, values);
    Subject second(codec.spec, values);
    const std::vector<std::byte> payload = first.encode();
    CHECK(payload == first.encode());
    CHECK(payload == second.encode());
    first.codec().reset();
    first.begin(0);
    CHECK(payload == first.encode());
  });
}

/// The payload that `write` makes in memory that was full of `garbage` and is aligned to 4 bytes, no more.
template <typename Write>
std::vector<std::byte> written_over(std::byte garbage, std::size_t bytes, const Write& write) {
  constexpr std::size_t kAhead = 4;  // new memory is aligned to more
  std::vector<std::byte> memory(kAhead + bytes, garbage);
  const Bytes payload = write(MutableBytes(memory).subspan(kAhead));
  return {payload.begin(), payload.end()};
}

TEST_CASE("codec: what was in memory before does not get into payloads (B12), nor where it is") {
  for_all_inputs([](const CodecCase& codec, std::vector<float> values) {
    Subject subject(codec.spec, values);
    const std::vector<std::byte> own = subject.encode();
    const std::size_t bytes = subject.codec().max_payload(values.size());
    auto* finisher = dynamic_cast<Finisher*>(&subject.codec());
    for (const std::byte garbage : {std::byte{0xff}, std::byte{0x5a}}) {
      const auto encode = [&](MutableBytes slot) { return subject.codec().encode(chunk_of(subject.values()), slot); };
      CHECK(written_over(garbage, bytes, encode) == own);
      if (subject.mergeable() == nullptr) continue;
      const auto merge = [&](MutableBytes slot) { return subject.mergeable()->merge(own, own, values.size(), slot); };
      CHECK(written_over(garbage, bytes, merge) == subject.merge(own, own));
      if (finisher == nullptr) continue;
      const auto finish = [&](MutableBytes slot) { return finisher->finish(own, chunk_of(values), slot); };
      CHECK(written_over(garbage, bytes, finish) == written_over(std::byte{0}, bytes, finish));
    }
  });
}

TEST_CASE("codec: chunks may be encoded in any order and obey the bound together") {
  for_all_inputs([](const CodecCase& codec, std::vector<float> values) {
    Subject forward(codec.spec, values);
    Subject backward(codec.spec, values);
    const auto chunks = uneven_chunks(values.size());
    std::vector<std::vector<std::byte>> payloads;
    for (const auto& [offset, count] : chunks) payloads.push_back(forward.encode(offset, count));
    for (std::size_t i = chunks.size(); i-- > 0;) {
      const auto& [offset, count] = chunks[i];
      INFO("chunk at ", offset, " of ", count, " values");
      CHECK(backward.encode(offset, count) == payloads[i]);
      CHECK(codec.bound(values, offset, backward.decode(payloads[i], count)) == "");
    }
  });
}

TEST_CASE("codec: scale -1 gives the exact residual") {
  for_all_inputs([](const CodecCase& codec, std::vector<float> values) {
    Subject subject(codec.spec, values);
    const std::vector<std::byte> payload = subject.encode();
    const std::vector<float> decoded = subject.decode(payload, values.size());
    std::vector<float> residual = values;
    subject.codec().accumulate(payload, -1.0F, chunk_of(residual));
    std::size_t unequal = 0;
    for (std::size_t i = 0; i < values.size(); ++i) unequal += residual[i] == values[i] - decoded[i] ? 0 : 1;
    CHECK(unequal == 0);
  });
}

TEST_CASE("codec: scale 0.5 adds half the decoded value") {
  for_all_inputs([](const CodecCase& codec, std::vector<float> values) {
    Subject subject(codec.spec, values);
    const std::vector<std::byte> payload = subject.encode();
    const std::vector<float> decoded = subject.decode(payload, values.size());
    const std::vector<float> start = make_input("normal", values.size(), 8);
    std::vector<float> out = start;
    subject.codec().accumulate(payload, 0.5F, chunk_of(out));
    double worst = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double expected = double_of(start[i]) + 0.5 * double_of(decoded[i]);
      const double size = std::abs(double_of(start[i])) + std::abs(double_of(decoded[i])) + 0x1p-126;
      worst = std::max(worst, std::abs(double_of(out[i]) - expected) / size);
    }
    CHECK(worst <= 0x1p-23);
  });
}

TEST_CASE("codec: with error feedback, what was sent and what is kept add up to what came in") {
  for (const CodecCase& codec : codec_cases()) {
    INFO("codec ", codec.spec, ", seeds 100 + step");
    constexpr std::size_t kCount = 1009;
    constexpr int kSteps = 20;
    std::vector<float> residual(kCount, 0.0F);
    std::vector<double> in(kCount, 0.0);
    std::vector<double> sent(kCount, 0.0);
    double largest = 0x1p8;
    for (int step = 0; step < kSteps; ++step) {
      std::vector<float> values = make_input("normal", kCount, 100 + static_cast<std::uint32_t>(step));
      for (std::size_t i = 0; i < kCount; ++i) {
        in[i] += double_of(values[i]);
        values[i] += residual[i];
      }
      Subject subject(codec.spec, values, static_cast<std::uint32_t>(step));
      const std::vector<std::byte> payload = subject.encode();
      const std::vector<float> decoded = subject.decode(payload, kCount);
      residual = values;
      subject.codec().accumulate(payload, -1.0F, chunk_of(residual));
      for (std::size_t i = 0; i < kCount; ++i) {
        sent[i] += double_of(decoded[i]);
        largest = std::max({largest, std::abs(double_of(values[i])), std::abs(double_of(decoded[i]))});
      }
    }
    double worst = 0.0;
    for (std::size_t i = 0; i < kCount; ++i) {
      worst = std::max(worst, std::abs(in[i] - sent[i] - double_of(residual[i])));
    }
    // Each step rounds twice. Codecs that add more than they were given, as few levels of a length do, let values grow.
    CHECK(worst <= 2 * kSteps * 0x1p-24 * largest);
  }
}

TEST_CASE("codec: merged payloads decode to the sum, in either order, within max_payload") {
  for_all_inputs([](const CodecCase& codec, std::vector<float> values) {
    std::vector<Subject> ranks;
    for (std::uint32_t rank = 0; rank < 5; ++rank) {
      std::vector<float> mine = values;
      for (float& value : mine) value *= 1.0F - 0.25F * static_cast<float>(rank);
      ranks.emplace_back(codec.spec, std::move(mine), rank);
    }
    if (ranks[0].mergeable() == nullptr) return;
    share_maxima(ranks);
    std::vector<std::byte> sum = ranks[0].encode();
    for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
      const std::vector<std::byte> mine = ranks[rank].encode();
      const std::vector<float> before = ranks[0].decode(sum, values.size());
      const std::vector<float> added = ranks[0].decode(mine, values.size());
      CHECK(ranks[0].merge(mine, sum) == ranks[0].merge(sum, mine));
      sum = ranks[0].merge(sum, mine);
      const std::vector<float> after = ranks[0].decode(sum, values.size());
      double worst = 0.0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double expected = double_of(before[i]) + double_of(added[i]);
        const double size = std::abs(double_of(before[i])) + std::abs(double_of(added[i])) + 0x1p-126;
        worst = std::max(worst, std::abs(double_of(after[i]) - expected) / size);
      }
      CHECK(worst <= 0x1p-23);
    }
  });
}

}  // namespace
}  // namespace gossamer
