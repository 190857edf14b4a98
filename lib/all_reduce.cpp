#include "lib/all_reduce.hpp"

#include <algorithm>
#include <exception>

#include "lib/lane.hpp"

namespace gossamer {
namespace {

/// Parts [first, first + parts) of a slab: what one message carries.
struct Block {
  std::size_t slab;
  std::size_t first;
  std::size_t parts;
  bool fresh;

  /// What digit `k` of a leg has of this block.
  [[nodiscard]] Block share(const Leg& leg, std::size_t k) const noexcept {
    return {slab, first + (k % leg.size) * leg.weight, leg.weight, fresh};
  }
};

}  // namespace

/// What a lane does with a slab. In rings the digit arithmetic is that of every textbook ring: this rank first sends
/// the share of the digit before its own, and what it gets last is its own share.
struct AllReduce::Steps {
  // ---- Codec work on the parts of a block: `make(part, incoming, slot)` for each -----------------------------------

  template <typename Visit>
  static void for_parts(const AllReduce& self, const Lane& lane, const Block& block, Bytes incoming, Visit&& visit) {
    if (!lane.framed) return visit(self.cut_.elements(block.slab, block.first, block.parts), incoming);
    ByteReader frame(incoming);
    for (std::size_t i = block.first; i < block.first + block.parts; ++i) {
      visit(self.cut_.elements(block.slab, i, 1), incoming.empty() ? Bytes{} : next_payload(frame));
    }
    frame.expect_end();
  }
  static Bytes next_payload(ByteReader& frame) { return frame.take(frame.get<std::uint32_t>()); }
  static void append(ByteWriter& frame, Bytes payload) {
    frame.put(static_cast<std::uint32_t>(payload.size()));
    frame.put_bytes(payload);
  }

  template <typename Make>
  static Bytes message(const AllReduce& self, Lane& lane, const Block& block, Bytes incoming, Make&& make) {
    ByteWriter frame(lane.slot());
    Bytes single;
    for_parts(self, lane, block, incoming, [&](Part part, Bytes payload) {
      single = make(part, payload, lane.framed ? lane.made : lane.slot());
      if (lane.framed) append(frame, single);
    });
    return lane.framed ? frame.written() : single;
  }

  static Bytes open(Call& call, const AllReduce& self, Lane& lane, const Block& block) {
    const Stopwatch watch(call.time.encode);
    return message(self, lane, block, {},
                   [&](Part part, Bytes, MutableBytes slot) { return lane.reducer->open(part, block.fresh, slot); });
  }
  static Bytes pass(Call& call, const AllReduce& self, Lane& lane, const Block& block, Bytes incoming) {
    const Stopwatch watch(call.time.reduce);
    return message(self, lane, block, incoming, [&](Part part, Bytes payload, MutableBytes slot) {
      return lane.reducer->pass(part, block.fresh, payload, slot);
    });
  }
  static void keep(Call& call, const AllReduce& self, Lane& lane, const Block& block, Bytes incoming) {
    const Stopwatch watch(call.time.reduce);
    for_parts(self, lane, block, incoming,
              [&](Part part, Bytes payload) { lane.reducer->keep(part, block.fresh, payload); });
  }
  static void finish(Call& call, const AllReduce& self, Lane& lane, std::size_t slab, std::size_t part) {
    const Stopwatch watch(call.time.encode);
    const Block block{slab, part, 1, self.legs_.empty() || self.cut_.gathered};
    lane.finished = message(self, lane, block, {}, [&](Part elements, Bytes, MutableBytes slot) {
      return lane.reducer->finish(elements, block.fresh, slot);
    });
    if (!lane.framed) return;
    hold(lane, 0, lane.finished);
    lane.order.assign(1, part);
  }

  // ---- What is finished, on its way to all --------------------------------------------------------------------------

  static void hold(Lane& lane, std::size_t at, Bytes frame) {
    std::memcpy(lane.held.data() + at, frame.data(), frame.size());
    lane.held_bytes = at + frame.size();
    lane.finished = lane.held.first(lane.held_bytes);
  }
  /// Where the values of a block are, for codecs that send and receive them in place.
  static MutableBytes values_of(const AllReduce& self, const Ground& ground, const Block& block) {
    const Part part = self.cut_.elements(block.slab, block.first, block.parts);
    return {ground.data + part.offset * self.element_bytes_, part.count * self.element_bytes_};
  }
  static std::optional<MutableBytes> landing(const AllReduce& self, const Ground& ground, const Block& block) {
    if (!self.in_place_) return {};
    return values_of(self, ground, block);
  }
  /// The parts that digit `k` had finished: in the order in which this rank got its own (`had` of them).
  static void place(Call& call, const AllReduce& self, Lane& lane, const Leg& leg, const Block& theirs, std::size_t had,
                    Bytes incoming) {
    const Stopwatch watch(call.time.decode);
    if (!lane.framed) return lane.reducer->place(self.cut_.elements(theirs.slab, theirs.first, theirs.parts), incoming);
    ByteReader frame(incoming);
    const std::size_t digit = theirs.first / leg.weight % leg.size;
    for (std::size_t i = 0; i < had; ++i) {
      const std::size_t part = lane.order[i] + digit * leg.weight - leg.digit * leg.weight;
      lane.reducer->place(self.cut_.elements(theirs.slab, part, 1), next_payload(frame));
      lane.order.push_back(part);
    }
    frame.expect_end();
    if (leg.dimension > 0) hold(lane, lane.held_bytes, incoming);
  }

  // ---- The collectives ----------------------------------------------------------------------------------------------

  static Task reduce_scatter_ring(Call& call, const AllReduce& self, Lane& lane, const Leg& leg, Block block) {
    const std::size_t n = leg.size;
    const auto tag = [&](std::size_t step) { return tag_of(call, lane, leg, Phase::reduce_scatter, step); };
    lane.post(call, leg.previous(), tag(0));
    co_await lane.send_slot(call);
    lane.send(call, leg.next(), tag(0), open(call, self, lane, block.share(leg, leg.digit + n - 1)));
    for (std::size_t step = 0; step + 1 < n; ++step) {
      const bool last = step + 2 == n;
      if (!last) lane.post(call, leg.previous(), tag(step + 1));
      call.at("reduce-scatter", step, n - 1);
      const std::size_t bytes = co_await lane.arrival(call);
      const Bytes incoming = lane.take(call, bytes);
      const Block share = block.share(leg, leg.digit + 2 * n - step - 2);
      if (last) {
        keep(call, self, lane, share, incoming);
      } else {
        co_await lane.send_slot(call);
        lane.send(call, leg.next(), tag(step + 1), pass(call, self, lane, share, incoming));
      }
    }
  }

  static Task reduce_scatter_direct(Call& call, const AllReduce& self, Lane& lane, const Leg& leg, Block block) {
    const std::size_t n = leg.size;
    const auto tag = [&](std::size_t sender) { return tag_of(call, lane, leg, Phase::reduce_scatter, sender % n); };
    const auto post = [&](std::size_t j) {
      lane.post(call, leg.peers[(leg.digit + n - j) % n], tag(leg.digit + n - j));
    };
    post(1);
    for (std::size_t j = 1; j < n; ++j) {
      if (j + 1 < n) post(j + 1);
      co_await lane.send_slot(call);
      lane.send(call, leg.peers[(leg.digit + j) % n], tag(leg.digit),
                open(call, self, lane, block.share(leg, leg.digit + j)));
      call.at("reduce-scatter", j - 1, n - 1);
      const std::size_t bytes = co_await lane.arrival(call);
      Block own = block.share(leg, leg.digit);
      own.fresh = block.fresh && j == 1;
      keep(call, self, lane, own, lane.take(call, bytes));
    }
  }

  static Task all_gather_ring(Call& call, const AllReduce& self, Lane& lane, const Leg& leg, const Ground& ground,
                              Block block) {
    const std::size_t n = leg.size;
    const std::size_t had = lane.order.size();
    const auto tag = [&](std::size_t step) { return tag_of(call, lane, leg, Phase::all_gather, step); };
    const auto share = [&](std::size_t step) { return block.share(leg, leg.digit + 2 * n - step - 1); };
    lane.post(call, leg.previous(), tag(0), landing(self, ground, share(0)));
    co_await lane.send_slot(call);
    lane.send(call, leg.next(), tag(0), lane.finished);
    for (std::size_t step = 0; step + 1 < n; ++step) {
      const bool last = step + 2 == n;
      if (!last) {
        if (!self.in_place_) co_await lane.last_send(call);  // it may still read the buffer that is posted now
        lane.post(call, leg.previous(), tag(step + 1), landing(self, ground, share(step + 1)));
      }
      call.at("all-gather", step, n - 1);
      const std::size_t bytes = co_await lane.arrival(call);
      const Bytes incoming = lane.take(call, bytes);
      if (!last) {
        co_await lane.send_slot(call);
        lane.send(call, leg.next(), tag(step + 1), incoming);
      }
      place(call, self, lane, leg, share(step), had, incoming);
    }
  }

  static Task all_gather_direct(Call& call, const AllReduce& self, Lane& lane, const Leg& leg, const Ground& ground,
                                Block block) {
    const std::size_t n = leg.size;
    const std::size_t had = lane.order.size();
    const Bytes mine = lane.finished;
    const auto tag = [&](std::size_t sender) { return tag_of(call, lane, leg, Phase::all_gather, sender % n); };
    const auto from = [&](std::size_t j) { return leg.digit + n - j; };
    const auto post = [&](std::size_t j) {
      lane.post(call, leg.peers[from(j) % n], tag(from(j)), landing(self, ground, block.share(leg, from(j))));
    };
    post(1);
    for (std::size_t j = 1; j < n; ++j) {
      if (j + 1 < n) post(j + 1);
      co_await lane.send_slot(call);
      lane.send(call, leg.peers[(leg.digit + j) % n], tag(leg.digit), mine);
      call.at("all-gather", j - 1, n - 1);
      const std::size_t bytes = co_await lane.arrival(call);
      place(call, self, lane, leg, block.share(leg, from(j)), had, lane.take(call, bytes));
    }
  }

  static std::uint64_t tag_of(Call& call, const Lane& lane, const Leg& leg, Phase phase, std::size_t index) {
    return call.tag.at(phase, lane.round, lane.number, leg.dimension, static_cast<std::uint32_t>(index));
  }

  static Task slab(Call& call, const AllReduce& self, Lane& lane, const Ground& ground, std::size_t slab) {
    lane.reducer->next_slab();
    Block block{slab, 0, self.cut_.ranks, true};
    for (const Leg& leg : self.legs_) {
      if (self.cut_.gathered) {
        // What the all-gather then carries is this rank's contribution.
      } else if (leg.direct) {
        co_await reduce_scatter_direct(call, self, lane, leg, block);
      } else {
        co_await reduce_scatter_ring(call, self, lane, leg, block);
      }
      block = block.share(leg, leg.digit);
      block.fresh = false;
    }
    co_await lane.send_slot(call);
    finish(call, self, lane, slab, block.first);
    for (auto leg = self.legs_.rbegin(); leg != self.legs_.rend(); ++leg) {
      if (self.in_place_) lane.finished = values_of(self, ground, block);
      block = {slab, block.first - leg->digit * leg->weight, block.parts * leg->size, false};
      if (leg->direct) {
        co_await all_gather_direct(call, self, lane, *leg, ground, block);
      } else {
        co_await all_gather_ring(call, self, lane, *leg, ground, block);
      }
      co_await lane.last_send(call);  // both may still read buffers that the next leg or slab receives into
      co_await lane.send_slot(call);
    }
    const Stopwatch watch(call.time.decode);
    lane.reducer->settle();
  }

  /// Slabs `lane`, lane + lanes, …; a failure here ends the other lanes too.
  static Task every_slab(Call& call, const AllReduce& self, Lane& lane, const Ground& ground) {
    try {
      for (std::size_t i = lane.number; i < self.cut_.slabs(); i += self.lanes_.size()) {
        co_await slab(call, self, lane, ground, i);
      }
    } catch (const Error& error) {
      // Of a death that the communicator survives all know, the other lanes too.
      if (error.status() != Status::peer || !call.engine.survives()) {
        call.engine.fail_all({call.engine.rank(), error.status(),
                              sentence("rank ", call.engine.rank(), ", ", call.describe(), ": ", error.what())});
      }
      lane.land();
      throw;
    }
  }

  static Task run(Call& call, AllReduce& self, Ground ground, Loader* loader) {
    for (auto& lane : self.lanes_) lane->reducer->begin(ground, loader);
    for (auto& lane : self.lanes_) lane->task = every_slab(call, self, *lane, ground);
    for (auto& lane : self.lanes_) lane->task.start();
    std::exception_ptr error;
    for (auto& lane : self.lanes_) {
      try {
        co_await lane->task.joined();
      } catch (...) {
        if (!error) error = std::current_exception();
      }
      lane->task = Task();
    }
    if (error) std::rethrow_exception(error);
    const bool finite =
        std::all_of(self.lanes_.begin(), self.lanes_.end(), [](const auto& lane) { return lane->reducer->finite(); });
    if (!finite)
      fail(Status::numeric, "the sum of '", call.name(),
           "' is not finite: NaN or Inf in a rank's input, or an overflow");
  }
};

AllReduce::Plan AllReduce::plan(const std::vector<Leg>& legs, const Codec& codec, const Shape& shape,
                                const Options& options) {
  Plan plan;
  plan.kind = reducer_kind(codec, options.gathered);
  const bool in_place = plan.kind == ReducerKind::in_place;
  std::size_t ranks = 1;
  for (const Leg& leg : legs) ranks *= leg.size;
  plan.framed = legs.size() > 1 && !in_place;
  const std::size_t kept = legs.empty() ? 1 : legs.front().weight;
  const std::size_t message_parts = in_place || plan.framed ? kept : 1;
  // Between two ranks there is one receive at a time. Codecs also need where payloads are made, and frames where
  // finished parts are held.
  const bool pairs = std::all_of(legs.begin(), legs.end(), [](const Leg& leg) { return leg.size == 2; });
  plan.landings = in_place && pairs ? 1 : 2;
  const std::size_t messages = plan.landings + (in_place ? 0 : 2) + (plan.framed ? 1 : 0);
  plan.reducer = {0, kept, ranks};
  const std::size_t payloads = (plan.framed ? 1 : 0) + reducer_slots(plan.kind, plan.reducer);
  plan.cut = choose_cut(codec, shape, {ranks, (messages * message_parts + payloads) * options.budget, plan.kind});
  plan.reducer.part_count = plan.cut.longest_part();
  plan.payload = codec.max_payload(plan.reducer.part_count);
  plan.message = message_parts * (plan.payload + (plan.framed ? sizeof(std::uint32_t) : 0));
  plan.slot_bytes =
      plan.cut.lanes * (messages * Slots::room_for(plan.message) + payloads * Slots::room_for(plan.payload));
  return plan;
}

std::size_t AllReduce::slot_bytes(const std::vector<Leg>& legs, const Codec& codec, const Shape& shape,
                                  const Options& options) {
  return plan(legs, codec, shape, options).slot_bytes;
}

AllReduce::AllReduce(Engine& engine, const std::vector<Leg>& legs, Codec& codec, Shape shape, Options options)
    : legs_(legs), in_place_(false), element_bytes_(size_of(shape.dtype)) {
  const Plan plan = AllReduce::plan(legs, codec, shape, options);
  in_place_ = plan.kind == ReducerKind::in_place;
  cut_ = plan.cut;
  if (options.slots == nullptr) own_slots_.emplace(plan.slot_bytes);
  Slots& slots = options.slots != nullptr ? *options.slots : *own_slots_;
  slots.restart();
  for (std::uint32_t number = 0; number < cut_.lanes; ++number) {
    auto lane = std::make_unique<Lane>(engine, number, options.round);
    lane->reducer = make_reducer(plan.kind, codec, shape.dtype, plan.reducer, slots);
    lane->framed = plan.framed;
    for (std::size_t i = 0; i < plan.landings; ++i) lane->incoming.push_back(slots.take(plan.message));
    if (!in_place_) {
      for (MutableBytes& slot : lane->outgoing) slot = slots.take(plan.message);
    }
    if (plan.framed) {
      lane->made = slots.take(plan.payload);
      lane->held = slots.take(plan.message);
      lane->order.reserve(plan.reducer.ranks);
    }
    lanes_.push_back(std::move(lane));
  }
}

AllReduce::~AllReduce() = default;

Task AllReduce::run(Call& call, const Ground& ground, Loader* loader) {
  return Steps::run(call, *this, ground, loader);
}

}  // namespace gossamer
