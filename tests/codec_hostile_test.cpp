#include <doctest/doctest.h>

#include <cstring>
#include <functional>

#include "tests/codec_cases.hpp"

/// Payloads from nowhere: every decoder, for every line of codec_cases(), decodes them or throws `corrupt`, and writes
/// nowhere but into its output. Run under the address sanitizer for the reads.
namespace gossamer {
namespace {

using Payload = std::vector<std::byte>;

enum class Outcome { decoded, corrupt, other };

Outcome outcome_of(const std::function<void()>& action) {
  try {
    action();
    return Outcome::decoded;
  } catch (const Error& error) {
    return error.status() == Status::corrupt ? Outcome::corrupt : Outcome::other;
  }
}

/// Decodes into the middle of a larger buffer and checks its edges.
Outcome try_decode(Subject& subject, Bytes payload, std::size_t count) {
  constexpr std::size_t kEdge = 32;
  std::vector<float> buffer(count + 2 * kEdge, 1.5F);
  const std::span<float> out = std::span(buffer).subspan(kEdge, count);
  const Outcome outcome = outcome_of([&] { subject.codec().accumulate(payload, 1.0F, chunk_of(out)); });
  for (std::size_t i = 0; i < kEdge; ++i) {
    if (buffer[i] != 1.5F || buffer[kEdge + count + i] != 1.5F) return Outcome::other;
  }
  return outcome;
}

Outcome try_merge(Subject& subject, Bytes a, Bytes b) {
  return outcome_of([&] { static_cast<void>(subject.merge(a, b)); });
}

Payload random_bytes(std::size_t size, std::mt19937& random) {
  Payload bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

constexpr std::size_t kSmallCounts[] = {0, 1, 3, 64, 65, 200, 330};

template <typename Attack>
void for_all_payloads(const Attack& attack) {
  for (const CodecCase& codec : codec_cases()) {
    for (const std::size_t count : kSmallCounts) {
      INFO("codec ", codec.spec, ", ", count, " values, seed 11");
      Subject subject(codec.spec, make_input("normal", count, 11));
      std::vector<Payload> payloads = {subject.encode()};
      if (subject.mergeable() != nullptr) payloads.push_back(subject.merge(payloads[0], payloads[0]));
      for (const Payload& payload : payloads) attack(subject, payload, count);
    }
  }
}

TEST_CASE("hostile payloads: cut short at any length they are corrupt") {
  for_all_payloads([](Subject& subject, const Payload& payload, std::size_t count) {
    for (std::size_t length = 0; length < payload.size(); ++length) {
      INFO("cut to ", length, " of ", payload.size());
      // A copy of just that size, so that the sanitizer sees a read past its end.
      const Payload cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(length));
      CHECK(try_decode(subject, cut, count) == Outcome::corrupt);
      if (subject.mergeable() != nullptr) {
        CHECK(try_merge(subject, payload, cut) == Outcome::corrupt);
        CHECK(try_merge(subject, cut, payload) == Outcome::corrupt);
      }
    }
  });
}

TEST_CASE("hostile payloads: a byte too many is corrupt") {
  for_all_payloads([](Subject& subject, const Payload& payload, std::size_t count) {
    for (const std::byte extra : {std::byte{0}, std::byte{1}, std::byte{255}}) {
      Payload longer = payload;
      longer.push_back(extra);
      CHECK(try_decode(subject, longer, count) == Outcome::corrupt);
      if (subject.mergeable() != nullptr) CHECK(try_merge(subject, longer, payload) == Outcome::corrupt);
    }
  });
}

TEST_CASE("hostile payloads: of another count they are corrupt") {
  for_all_payloads([](Subject& subject, const Payload& payload, std::size_t count) {
    CHECK(try_decode(subject, payload, count + 1) == Outcome::corrupt);
    if (count > 0) CHECK(try_decode(subject, payload, count - 1) == Outcome::corrupt);
  });
}

TEST_CASE("hostile payloads: flipped bits decode or are corrupt") {
  std::mt19937 random(13);
  for_all_payloads([&random](Subject& subject, const Payload& payload, std::size_t count) {
    if (payload.empty()) return;
    for (int flip = 0; flip < 600; ++flip) {
      Payload flipped = payload;
      const int bits = 1 + static_cast<int>(random() % 3);
      for (int bit = 0; bit < bits; ++bit) flipped[random() % flipped.size()] ^= std::byte{1} << (random() % 8);
      CHECK(try_decode(subject, flipped, count) != Outcome::other);
      if (subject.mergeable() != nullptr) CHECK(try_merge(subject, flipped, payload) != Outcome::other);
    }
  });
}

TEST_CASE("hostile payloads: flipped header bytes take every value") {
  for_all_payloads([](Subject& subject, const Payload& payload, std::size_t count) {
    for (std::size_t at = 0; at < std::min<std::size_t>(payload.size(), 24); ++at) {
      for (int value = 0; value < 256; ++value) {
        Payload changed = payload;
        changed[at] = static_cast<std::byte>(value);
        CHECK(try_decode(subject, changed, count) != Outcome::other);
        if (subject.mergeable() != nullptr) CHECK(try_merge(subject, payload, changed) != Outcome::other);
      }
    }
  });
}

TEST_CASE("hostile payloads: random bytes decode or are corrupt") {
  std::mt19937 random(17);
  for (const CodecCase& codec : codec_cases()) {
    INFO("codec ", codec.spec, ", seed 17");
    for (int trial = 0; trial < 2000; ++trial) {
      const std::size_t count = random() % 70;
      Subject subject(codec.spec, make_input("normal", count, 19));
      const Payload honest = subject.encode();
      // Half of them keep the header's first bytes, so that the body is reached.
      Payload bytes = random_bytes(trial % 2 == 0 ? random() % 200 : honest.size(), random);
      if (trial % 2 == 1) {
        std::copy_n(honest.begin(), std::min<std::size_t>(honest.size(), 8 + random() % 12), bytes.begin());
      }
      CHECK(try_decode(subject, bytes, count) != Outcome::other);
      if (subject.mergeable() != nullptr) CHECK(try_merge(subject, bytes, honest) != Outcome::other);
    }
  }
}

}  // namespace
}  // namespace gossamer
