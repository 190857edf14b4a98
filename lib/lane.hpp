#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "lib/all_reduce.hpp"

namespace gossamer {

/// The memory and the transfers of one slab on its way: two receives and two sends at most are under way, so each next
/// message is posted before the last is worked on.
struct AllReduce::Lane {
  Lane(Engine& engine, std::uint32_t lane_number, int round_number)
      : number(lane_number),
        round(round_number),
        receives{Flight(engine), Flight(engine)},
        sends{Flight(engine), Flight(engine)} {}

  std::uint32_t number;
  int round;
  std::unique_ptr<Reducer> reducer;
  Task task;

  std::array<Flight, 2> receives;
  std::array<Flight, 2> sends;
  std::vector<MutableBytes>
      incoming;  ///< where messages land, unless they land in the tensor; one may do for two steps
  std::array<MutableBytes, 2> outgoing;  ///< where payloads are made, unless they stay in the tensor
  std::array<MutableBytes, 2> landing;
  std::size_t posted = 0;  ///< receives posted so far
  std::size_t taken = 0;   ///< receives taken so far
  std::size_t sent = 0;    ///< sends posted so far

  // A message of several parts is a frame: for each part its payload's length (32 bits) and the payload.
  bool framed = false;
  MutableBytes made;  ///< one payload, before it goes into a frame
  MutableBytes held;  ///< frame of the finished parts this rank has so far
  std::size_t held_bytes = 0;
  std::vector<std::size_t> order;  ///< which part of the slab each payload of `held` is
  Bytes finished;                  ///< message of the finished parts this rank has so far

  void post(Call& call, int peer, std::uint64_t tag, std::optional<MutableBytes> place = {}) {
    const std::size_t slot = posted++ % 2;
    landing[slot] = place ? *place : incoming[slot % incoming.size()];
    receives[slot].receive(peer, tag, landing[slot], call.traffic);
  }
  /// The receive to be awaited next; afterwards take() is its message.
  Wait arrival(Call& call) noexcept { return receives[taken % 2].done(call); }
  Bytes take(Call& call, std::size_t bytes) noexcept {
    call.traffic.received += bytes;
    return landing[taken++ % 2].first(bytes);
  }
  /// The send slot used next; await before its buffer or its flight is used again.
  Wait send_slot(Call& call) noexcept { return sends[sent % 2].done(call); }
  /// The send before the next one; await before the memory it sent from is overwritten.
  Wait last_send(Call& call) noexcept { return sends[(sent + 1) % 2].done(call); }
  [[nodiscard]] MutableBytes slot() const noexcept { return outgoing[sent % 2]; }
  void send(Call& call, int peer, std::uint64_t tag, Bytes message) {
    sends[sent++ % 2].send(peer, tag, message, call.traffic);
  }
  /// After a failure nothing may touch the lane any more.
  void land() noexcept {
    for (Flight& flight : receives) flight.land();
    for (Flight& flight : sends) flight.land();
  }
};

}  // namespace gossamer
