#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "lib/all_reduce.hpp"
#include "lib/buffer.hpp"
#include "lib/call.hpp"
#include "topology/topology.hpp"

/// The collectives that move bytes without reducing them in a ring, each one coroutine. Memory stays valid until they
/// end.
namespace gossamer {

/// One record of equal size per rank.
struct Records {
  MutableBytes all;  ///< ranks × size bytes, this rank's own at own_record()
  std::size_t size = 0;
};

/// Where this rank's record is among all. The order is that of the legs' digits, not of ranks.
std::size_t own_record(const std::vector<Leg>& legs) noexcept;

/// All-gather of small records over the topology: `records.all` is full when it ends. Every rank then knows that every
/// rank has come this far.
Task gather_records(Call& call, const std::vector<Leg>& legs, Phase phase, Records records);

/// `data` of the rank whose digits are `root_digits` to all, exact, pipelined along one dimension after the other.
Task broadcast(Call& call, const std::vector<Leg>& legs, std::vector<std::size_t> root_digits, MutableBytes data);

/// What a gossip round keeps under way: one segment to and from every neighbour.
struct GossipSlots {
  GossipSlots(Engine& engine, const Neighbourhood& around);
  std::deque<Flight> receives;  ///< one per in-neighbour
  std::deque<Flight> sends;     ///< one per out-neighbour
  std::vector<Buffer> arrived;  ///< one per in-neighbour
  Buffer own;
};

/// One gossip round, D-PSGD: data <- w_ii·data + Σ_j w_ij·data_j. `codec` adds the tensor's type.
Task mix(Call& call, const Neighbourhood& around, GossipSlots& slots, const InPlaceCodec& codec, Chunk data);

}  // namespace gossamer
