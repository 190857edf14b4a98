#pragma once

#include <vector>

#include "lib/gossip/exchange.hpp"
#include "lib/tensor.hpp"

namespace gossamer {

/// What a tensor needs for goss_mix.
struct Tensor::Gossip {
  Gossip(const World& world, const Shape& shape, const std::string& codec)
      : entry(find_mixing(world.mixing)),
        method(static_cast<std::uint32_t>(fnv1a(world.mixing.data(), world.mixing.size()))),
        mixer(make_mixer(world.mixing, {shape, codec, world.topology, world.rank})),
        negotiator(dynamic_cast<Negotiator*>(mixer.get())),
        slots(world.engine, mixer->capacity()),
        staged(!entry.in_own_type && shape.dtype != DType::float32 ? shape.count() : 0),
        proposals(negotiator != nullptr ? static_cast<std::size_t>(world.size) : 0) {}

  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return mixer->memory_bytes() + slots.memory_bytes() + staged.size() * sizeof(float);
  }

  const MixingEntry& entry;
  std::uint32_t method;  // hash of the spec
  std::unique_ptr<Mixer> mixer;
  Negotiator* negotiator;  // the mixer, if it is one
  GossipSlots slots;
  std::vector<float> staged;  // float32 copy of a tensor of another type
  std::vector<float> proposals;
};

}  // namespace gossamer
