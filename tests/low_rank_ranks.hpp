#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compress/codec.hpp"
#include "lib/base/error.hpp"
#include "tests/matrices.hpp"

/// Linear codecs of a matrix on several ranks.
namespace gossamer::test {

inline Shape matrix_shape(std::size_t rows, std::size_t cols) {
  return {DType::float32, {rows, cols}};
}

inline std::unique_ptr<LinearCodec> make_linear(const std::string& spec, const Shape& shape) {
  std::unique_ptr<TensorCodec> codec = make_codec(spec, shape).codec;
  REQUIRE(dynamic_cast<LinearCodec*>(codec.get()) != nullptr);
  return std::unique_ptr<LinearCodec>(static_cast<LinearCodec*>(codec.release()));
}

inline bool all_finite(const Values& values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

inline float rounded_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000U);
}

/// The ranks' codecs of one tensor, and an all-reduce that adds their vectors up in rank order.
class Ranks {
 public:
  Ranks(int ranks, const std::string& spec, Shape shape) : shape_(std::move(shape)) {
    for (int rank = 0; rank < ranks; ++rank) codecs_.push_back(make_linear(spec, shape_));
  }

  /// One call with one input per rank; what the ranks agree the sum is. Checks that they do agree, state included.
  Values sum(std::vector<Values> inputs) {
    ++call_;
    for (std::size_t rank = 0; rank < codecs_.size(); ++rank) begin(rank, inputs[rank]);
    sent_ = 0;
    if (learner_of(*codecs_[0]) != nullptr) return learn(inputs);
    for (int round = 0; round < codecs_[0]->rounds(); ++round) {
      if (!runs(*codecs_[0], round)) continue;
      Values total(codecs_[0]->round_count(round), 0.0F);
      sent_ += total.size();
      Values part(total.size());
      for (const auto& codec : codecs_) {
        codec->project(round, 0, part);
        for (std::size_t i = 0; i < total.size(); ++i) total[i] += part[i];
      }
      if (codecs_[0]->wire() == "bf16") std::transform(total.begin(), total.end(), total.begin(), rounded_to_bf16);
      for (const auto& codec : codecs_) codec->absorb(round, total);
    }
    Values result(shape_.count());
    codecs_[0]->reconstruct(0, result);
    for (const auto& codec : codecs_) {
      Values other(shape_.count());
      codec->reconstruct(0, other);
      CHECK(same_bits(result, other));
      CHECK(same_bits(codecs_[0]->state(), codec->state()));
    }
    return result;
  }
  void begin(std::size_t rank, Values& input) {
    const StepContext context{
        {kSeed, call_, 0}, {kSeed, call_, static_cast<std::uint32_t>(rank) + 1}, static_cast<int>(codecs_.size())};
    codecs_[rank]->begin({reinterpret_cast<std::byte*>(input.data()), input.size(), 0}, context);
  }
  LinearCodec& operator[](std::size_t rank) { return *codecs_[rank]; }
  /// Floats that the rounds of the last call had.
  [[nodiscard]] std::size_t sent() const { return sent_; }
  /// The call number is the communicator's, not the codec's: a restart continues it.
  void continue_after(const Ranks& other) { call_ = other.call_; }

 private:
  /// A call that exchanges the tensor as it is.
  Values learn(const std::vector<Values>& inputs) {
    Values total(shape_.count(), 0.0F);
    for (const Values& input : inputs) {
      for (std::size_t i = 0; i < total.size(); ++i) total[i] += input[i];
    }
    for (const auto& codec : codecs_) {
      Learner* learner = learner_of(*codec);
      REQUIRE(learner != nullptr);
      learner->learn(total);
    }
    sent_ = total.size();
    return total;
  }

  static constexpr std::uint64_t kSeed = 42;
  Shape shape_;
  std::vector<std::unique_ptr<LinearCodec>> codecs_;
  std::uint32_t call_ = 0;
  std::size_t sent_ = 0;
};

}  // namespace gossamer::test
