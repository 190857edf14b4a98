#pragma once

#include <deque>
#include <vector>

#include "lib/buffer.hpp"
#include "lib/call.hpp"
#include "lib/gossip/mixer.hpp"

namespace gossamer {

/// What rounds of gossip keep under way: a few messages to and from every neighbour. Grows with the neighbourhood.
class GossipSlots {
 public:
  GossipSlots(Engine& engine, Mixer& mixer);
  void make_room(std::size_t in, std::size_t out);
  /// Gives up on what is under way, after a failure.
  void land() noexcept;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;
  /// No message can reach this memory any more.
  [[nodiscard]] bool settled() const noexcept { return settled_; }
  /// After a round: whose model was not finite, if anybody's nearby.
  [[nodiscard]] std::optional<int> refused_by() const noexcept { return refused_by_; }

 private:
  friend class GossipExchange;
  struct Lane {
    std::deque<Flight> receives;  ///< one per in-neighbour
    std::deque<Flight> sends;     ///< one per out-neighbour
    std::deque<Buffer> arrived;   ///< one per in-neighbour
    std::deque<Buffer> own;       ///< one, or with an Edgewise mixer one per out-neighbour
  };
  Engine& engine_;
  std::size_t capacity_;
  Edgewise* edgewise_;       // the mixer, if it is one
  std::vector<Lane> lanes_;  // message m is in lane m modulo their number
  std::vector<Bytes> payloads_;
  std::vector<Note> notes_;
  std::vector<char> lost_;         // by in-neighbour of the round: it has died
  std::vector<Buffer> abandoned_;  // which messages of the dead may still reach
  bool settled_ = true;
  std::optional<int> refused_by_;
};

/// The messages of one round, between the mixer's begin() and end(): each rank gives and takes. If this rank's model is
/// not finite, as its note says, or a neighbour's is not, the mixer is told not to apply the round. A neighbour that
/// dies meanwhile is lost to the mixer from the first message on that has not come when this rank hears of it.
Task exchange(Call& call, const Neighbourhood& around, GossipSlots& slots, Mixer& mixer, Note note);

}  // namespace gossamer
