#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/gossip/exchange.hpp"
#include "lib/gossip/groups.hpp"
#include "lib/gossip/outer.hpp"
#include "lib/tensor.hpp"

namespace gossamer {

/// All-reduces of an uncompressed tensor within the groups that the rounds of a graph consist of.
class GroupReductions {
 public:
  GroupReductions(const World& world, const std::string& name, const Shape& shape)
      : topology_(world.topology), rank_(world.rank) {
    for (std::uint64_t round = 0; round < topology_.period(); ++round) {
      const std::size_t size = group_of(topology_, rank_, round).size();
      by_size_.try_emplace(size, world, name, shape, size);
    }
  }
  /// The tensor of this rank's group in a round, until the next call.
  [[nodiscard]] Tensor& in_round(std::uint64_t round) {
    std::vector<int> group = group_of(topology_, rank_, round);
    OfSize& found = by_size_.at(group.size());
    if (found.legs.empty()) return found.tensor;
    Leg& leg = found.legs.front();
    leg.digit = static_cast<std::size_t>(std::ranges::find(group, rank_) - group.begin());
    leg.peers = std::move(group);
    return found.tensor;
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    std::size_t bytes = 0;
    for (const auto& [size, each] : by_size_) bytes += each.tensor.memory_bytes();
    return bytes;
  }

 private:
  /// A ring of so many ranks; who they are is another matter.
  struct OfSize {
    OfSize(const World& world, const std::string& name, const Shape& shape, std::size_t size)
        : legs(size > 1 ? 1 : 0, Leg{.size = size, .peers = {}}),
          tensor({world.engine, world.topology, legs, world.rank, static_cast<int>(size), world.seed,
                  world.nonfinite_is_error, world.gossip},
                 name, shape, make_codec("identity", shape)) {}
    std::vector<Leg> legs;
    Tensor tensor;
  };

  const Topology& topology_;
  int rank_;
  std::map<std::size_t, OfSize> by_size_;
};

/// What a tensor needs for goss_mix.
struct Tensor::Gossip {
  Gossip(const World& world, const std::string& name, const Shape& shape, const std::string& codec)
      : entry(find_mixing(world.gossip.mixing)),
        method(method_of(world)),
        mixer(make_mixer(world.gossip.mixing, {shape, codec, world.topology, world.rank, world.survives})),
        negotiator(dynamic_cast<Negotiator*>(mixer.get())),
        inspector(dynamic_cast<const Inspector*>(mixer.get())),
        outer(make_outer(world.gossip.outer, shape.count(), world.size)),
        staged((!entry.in_own_type || outer) && shape.dtype != DType::float32 ? shape.count() : 0),
        proposals(negotiator != nullptr ? static_cast<std::size_t>(world.size) : 0) {
    if (mixer) slots.emplace(world.engine, *mixer);
    if (entry.in_groups) groups.emplace(world, name, shape);
  }

  [[nodiscard]] std::vector<std::span<float>> state() const {
    std::vector<std::span<float>> all = mixer ? mixer->state() : std::vector<std::span<float>>();
    if (outer) all.push_back(outer->state());
    return all;
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    std::size_t bytes = staged.size() * sizeof(float);
    if (mixer) bytes += mixer->memory_bytes() + slots->memory_bytes();
    if (groups) bytes += groups->memory_bytes();
    if (outer) bytes += outer->state().size_bytes();
    return bytes;
  }

  /// This rank's neighbours in a round. Notes who of them is dead.
  [[nodiscard]] Neighbourhood living(const World& world, std::uint64_t round);

  /// Of the method, the graph and the outer optimiser: what one remembers is of no use to another. Nor is it if only
  /// one of them survives deaths.
  static std::uint32_t method_of(const World& world) noexcept {
    const std::uint64_t parts[] = {fnv1a(world.gossip.mixing.data(), world.gossip.mixing.size()),
                                   fnv1a(world.gossip.outer.data(), world.gossip.outer.size()),
                                   world.topology.fingerprint(), static_cast<std::uint64_t>(world.size),
                                   world.survives ? 1U : 0U};
    return static_cast<std::uint32_t>(fnv1a(reinterpret_cast<const char*>(parts), sizeof parts));
  }

  const MixingEntry& entry;
  std::uint32_t method;
  std::unique_ptr<Mixer> mixer;  // null if the method has none
  Negotiator* negotiator;        // the mixer, if it is one
  const Inspector* inspector;    // likewise
  std::unique_ptr<OuterOptimiser> outer;
  std::optional<GossipSlots> slots;       // with a mixer
  std::optional<GroupReductions> groups;  // for a method that works in groups
  std::vector<float> staged;              // float32 copy of a tensor of another type
  std::vector<float> proposals;
  std::map<int, std::uint64_t> missing_since;  // dead neighbours, and the first round that began without them
};

}  // namespace gossamer
