#include "lib/gossip/exchange.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gossamer {

GossipSlots::GossipSlots(Engine& engine, Mixer& mixer)
    : engine_(engine),
      capacity_(mixer.capacity() + sizeof(Note)),
      edgewise_(dynamic_cast<Edgewise*>(&mixer)),
      lanes_(mixer.ahead()) {}

void GossipSlots::make_room(std::size_t in, std::size_t out) {
  for (Lane& lane : lanes_) {
    while (lane.receives.size() < in) {
      lane.receives.emplace_back(engine_);
      lane.arrived.emplace_back(capacity_);
    }
    while (lane.sends.size() < out) lane.sends.emplace_back(engine_);
    while (lane.own.size() < (edgewise_ == nullptr ? 1 : out)) lane.own.emplace_back(capacity_);
  }
  payloads_.resize(std::max(payloads_.size(), in));
  notes_.resize(std::max(notes_.size(), in));
}

void GossipSlots::land() noexcept {
  settled_ = false;
  for (Lane& lane : lanes_) {
    for (Flight& flight : lane.receives) flight.land();
    for (Flight& flight : lane.sends) flight.land();
  }
}

std::size_t GossipSlots::memory_bytes() const noexcept {
  std::size_t buffers = 0;
  for (const Lane& lane : lanes_) buffers += lane.own.size() + lane.arrived.size();
  return buffers * capacity_;
}

/// The steps of a round, for the coroutine below.
class GossipExchange {
 public:
  GossipExchange(Call& call, const Neighbourhood& around, GossipSlots& slots, Mixer& mixer)
      : call_(call), around_(around), slots_(slots), mixer_(mixer) {
    slots.make_room(around.in.size(), around.out.size());
    slots.lost_.assign(around.in.size(), 0);
  }

  static std::size_t header(std::size_t message) noexcept { return message == 0 ? sizeof(Note) : 0; }
  GossipSlots::Lane& lane(std::size_t message) noexcept { return slots_.lanes_[message % slots_.lanes_.size()]; }

  void post_receives(std::size_t message) {
    for (std::size_t j = 0; j < around_.in.size(); ++j) {
      if (lost(j)) continue;
      const int from = around_.in[j].rank;
      lane(message).receives[j].receive(from, call_.tag.from_rank(Phase::mix, from), lane(message).arrived[j].bytes(),
                                        call_.traffic);
    }
  }
  void post_sends(std::size_t message, const Note& note) {
    Bytes same;
    if (slots_.edgewise_ == nullptr) same = compose(message, note, lane(message).own.front().bytes());
    for (std::size_t j = 0; j < around_.out.size(); ++j) {
      if (call_.engine.dead(around_.out[j].rank)) continue;
      lane(message).sends[j].send(around_.out[j].rank, call_.tag.from_rank(Phase::mix, call_.engine.rank()),
                                  slots_.edgewise_ == nullptr ? same : compose_for(j, message, note), call_.traffic);
    }
  }
  void arrived(std::size_t message, std::size_t j, std::size_t bytes) {
    call_.traffic.received += bytes;
    const Bytes whole = Bytes(lane(message).arrived[j].bytes()).first(bytes);
    if (bytes < header(message)) {
      fail(Status::corrupt, "rank ", around_.in[j].rank, " sent ", bytes, " bytes where a note of ", sizeof(Note),
           " bytes was expected");
    }
    if (message == 0) std::memcpy(&slots_.notes_[j], whole.data(), sizeof(Note));
    slots_.payloads_[j] = whole.subspan(header(message));
  }
  [[nodiscard]] bool lost(std::size_t j) const noexcept { return slots_.lost_[j] != 0; }
  void lose(std::size_t j) {
    slots_.lost_[j] = 1;
    slots_.notes_[j] = {.weight = 0};
    slots_.payloads_[j] = {};
    for (GossipSlots::Lane& lane : slots_.lanes_) {
      if (!lane.receives[j].under_way()) continue;
      abandon(lane.receives[j]);
      slots_.abandoned_.push_back(std::exchange(lane.arrived[j], Buffer(slots_.capacity_)));
    }
    mixer_.lose(j);
  }
  /// Gives up on what its peer's death keeps from ending.
  void abandon(Flight& flight) noexcept {
    flight.land();
    slots_.settled_ = false;
  }
  /// All notes are there.
  void read_notes(const Note& own) {
    std::optional<int>& culprit = slots_.refused_by_;
    culprit.reset();
    if ((own.flags & Note::refused) != 0) culprit = call_.engine.rank();
    for (std::size_t j = 0; j < around_.in.size(); ++j) {
      if (lost(j)) continue;
      const Note& theirs = slots_.notes_[j];
      if (theirs.method != own.method) {
        fail(Status::mismatch, "rank ", around_.in[j].rank, " mixes '", call_.name(), "' in another way than rank ",
             call_.engine.rank());
      }
      if (!(theirs.weight > 0) || !std::isfinite(theirs.weight)) {
        fail(Status::corrupt, "rank ", around_.in[j].rank, " says that its weight is ", theirs.weight);
      }
      if ((theirs.flags & Note::refused) != 0 && !culprit) culprit = around_.in[j].rank;
    }
    mixer_.hear(std::span<const Note>(slots_.notes_).first(around_.in.size()), !culprit.has_value());
  }
  void take(std::size_t message) {
    const Stopwatch watch(call_.time.reduce);
    mixer_.take(message, std::span<const Bytes>(slots_.payloads_).first(around_.in.size()));
  }

 private:
  /// The first message begins with the note; what the mixer does not put behind it is moved there. A rank that refuses
  /// sends its note and then nothing, as many times as the others send something.
  Bytes compose(std::size_t message, const Note& note, MutableBytes slot) {
    const Stopwatch watch(call_.time.encode);
    const MutableBytes room = slot.subspan(header(message));
    Bytes payload;
    if ((note.flags & Note::refused) == 0) payload = mixer_.give(message, room);
    // A send that a death leaves pending may read its memory after the call: not the model's, then.
    if (message > 0 && !call_.engine.survives()) return payload;
    if (message == 0) std::memcpy(slot.data(), &note, sizeof(Note));
    if (payload.data() != room.data()) std::ranges::copy(payload, room.begin());
    return slot.first(header(message) + payload.size());
  }
  Bytes compose_for(std::size_t neighbour, std::size_t message, const Note& note) {
    slots_.edgewise_->turn_to(neighbour);
    return compose(message, note, lane(message).own[neighbour].bytes());
  }

  Call& call_;
  const Neighbourhood& around_;
  GossipSlots& slots_;
  Mixer& mixer_;
};

namespace {

Task run(Call& call, const Neighbourhood& around, GossipSlots& slots, Mixer& mixer, Note note) {
  GossipExchange round(call, around, slots, mixer);
  const std::size_t messages = mixer.messages();
  const std::size_t ahead = mixer.ahead();
  std::size_t posted = 0;
  for (std::size_t given = 0, taken = 0; taken < messages; ++taken) {
    for (; posted < std::min(messages, taken + ahead); ++posted) round.post_receives(posted);
    for (; given < std::min(messages, taken + ahead); ++given) round.post_sends(given, note);
    call.at("gossip", taken, messages);
    for (std::size_t j = 0; j < around.in.size(); ++j) {
      if (round.lost(j)) continue;
      const std::optional<std::size_t> bytes = co_await round.lane(taken).receives[j].outcome(call);
      if (bytes) {
        round.arrived(taken, j, *bytes);
      } else {
        round.lose(j);
      }
    }
    if (taken == 0) round.read_notes(note);
    // What is sent may be the model itself, which taking changes.
    for (std::size_t j = 0; j < around.out.size(); ++j) {
      Flight& send = round.lane(taken).sends[j];
      if (!(co_await send.outcome(call)).has_value()) round.abandon(send);
    }
    round.take(taken);
  }
}

}  // namespace

Task exchange(Call& call, const Neighbourhood& around, GossipSlots& slots, Mixer& mixer, Note note) {
  try {
    co_await run(call, around, slots, mixer, note);
  } catch (...) {
    slots.land();
    throw;
  }
}

}  // namespace gossamer
