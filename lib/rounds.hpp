#pragma once

#include <memory>
#include <vector>

#include "lib/tensor.hpp"

namespace gossamer {

/// Asks a linear codec for each part of a round's vector when its hop first needs it.
class Projection final : public Loader {
 public:
  Projection(LinearCodec& codec, int round) noexcept : codec_(codec), round_(round) {}
  void load(Part part, std::byte* values) override {
    codec_.project(round_, part.offset, {reinterpret_cast<float*>(values), part.count});
  }

 private:
  LinearCodec& codec_;
  int round_;
};

/// The small all-reduces of a linear codec.
struct Tensor::Rounds {
  struct Round {
    std::vector<float> vector;
    std::unique_ptr<TensorCodec> wire;
    std::unique_ptr<AllReduce> all_reduce;
    Projection projection;
  };

  /// `tensor`: the shape of the codec's tensor, of floats.
  Rounds(Engine& engine, const std::vector<Leg>& legs, LinearCodec& codec, const Shape& tensor) : block(kBlock) {
    if (dynamic_cast<Learner*>(&codec) != nullptr) {
      plain = make_codec("identity", tensor).codec;
      // In the place of the first round: a call has either. It is rare, so it has to do with little memory.
      dense = std::make_unique<AllReduce>(engine, legs, dynamic_cast<Codec&>(*plain), tensor,
                                          AllReduce::Options{.budget = 4});
    }
    for (int i = 0; i < codec.rounds(); ++i) {
      const Shape shape{DType::float32, {codec.round_count(i)}};
      Round round{std::vector<float>(shape.count()), make_codec(codec.wire(), shape).codec, nullptr,
                  Projection(codec, i)};
      auto* wire = dynamic_cast<Codec*>(round.wire.get());
      if (wire == nullptr) fail(Status::internal, "'", codec.wire(), "' cannot carry the rounds of ", codec.name());
      round.all_reduce = std::make_unique<AllReduce>(engine, legs, *wire, shape, AllReduce::Options{i});
      rounds.push_back(std::move(round));
    }
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    std::size_t bytes = block.size() * sizeof(float) + (dense ? dense->held_bytes() : 0);
    for (const Round& round : rounds) bytes += round.vector.size() * sizeof(float) + round.all_reduce->held_bytes();
    return bytes;
  }

  static constexpr std::size_t kBlock = 16384;  // reconstructed values at a time: stays in the first-level caches
  std::vector<Round> rounds;
  std::vector<float> block;
  std::unique_ptr<TensorCodec> plain;  // what `dense` sends with
  std::unique_ptr<AllReduce> dense;    // of a Learner
};

}  // namespace gossamer
