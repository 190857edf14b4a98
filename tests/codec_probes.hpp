#pragma once

#include <doctest/doctest.h>

#include <cstring>

#include "tests/codec_cases.hpp"

/// What the tests of single codecs ask again and again.
namespace gossamer {

/// With what a subject answers to a payload for all its values.
inline Status status_of_decode(Subject& subject, Bytes payload) {
  try {
    static_cast<void>(subject.decode(payload, subject.values().size()));
    return Status::ok;
  } catch (const Error& error) {
    return error.status();
  }
}

/// The payload with other bytes at `at`.
template <typename T>
std::vector<std::byte> with_bytes(std::vector<std::byte> payload, std::size_t at, T value) {
  std::memcpy(payload.data() + at, &value, sizeof(value));
  return payload;
}

/// Specs that must be refused with a sentence that has the value behind the last '='.
inline void check_refused(std::initializer_list<std::string> specs) {
  for (const std::string& spec : specs) {
    INFO(spec);
    try {
      make_codec(spec, Shape{DType::float32, {64}});
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::argument);
      CHECK(std::string(error.what()).find(spec.substr(spec.rfind('=') + 1)) != std::string::npos);
    }
  }
}

inline double sum_of_magnitudes(std::span<const float> values) {
  double sum = 0.0;
  for (const float value : values) sum += std::abs(static_cast<double>(value));
  return sum;
}

inline double squared_norm(std::span<const float> values) {
  double sum = 0.0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

/// ‖x − Q(x)‖², in double.
inline double squared_error(Subject& subject) {
  const std::vector<float> decoded = subject.decode(subject.encode(), subject.values().size());
  double sum = 0.0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    sum += std::pow(static_cast<double>(subject.values()[i]) - static_cast<double>(decoded[i]), 2);
  }
  return sum;
}

/// The vector drawn in the figures of Bergou, Dutta and Kalnis, "Compressed communication for distributed deep
/// learning" (tutorial, IJCAI 2020).
inline const std::vector<float> kTutorialVector = {-1.7F, 2.9F,  10.5F, 11.4F, -23.1F,
                                                   0.88F, 1.01F, 0.0F,  5.51F, -0.98F};

}  // namespace gossamer
