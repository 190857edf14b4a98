#include "lib/collectives.hpp"

#include <algorithm>
#include <array>

namespace gossamer {
namespace {

constexpr std::size_t kSegmentBytes = 128 * 1024;

std::uint64_t tag_of(const Call& call, const Leg& leg, Phase phase, std::size_t index) {
  return call.tag.at(phase, 0, 0, leg.dimension, static_cast<std::uint32_t>(index));
}

/// One step of an all-gather along a leg: from whom which digit's block, and to whom which.
struct GatherStep {
  int from;
  std::size_t take;
  std::uint64_t take_tag;
  int to;
  std::size_t give;
  std::uint64_t give_tag;
};

GatherStep gather_step(const Call& call, const Leg& leg, Phase phase, std::size_t step) {
  const std::size_t n = leg.size;
  const std::size_t before = (leg.digit + n - 1 - step) % n;
  const std::size_t after = (leg.digit + 1 + step) % n;
  if (leg.direct) {
    return {leg.peers[before], before,    tag_of(call, leg, phase, before),
            leg.peers[after],  leg.digit, tag_of(call, leg, phase, leg.digit)};
  }
  const std::uint64_t tag = tag_of(call, leg, phase, step);
  return {leg.previous(), before, tag, leg.next(), (leg.digit + n - step) % n, tag};
}

MutableBytes segment_of(MutableBytes data, std::size_t index) {
  const std::size_t start = index * kSegmentBytes;
  return data.subspan(start, std::min(kSegmentBytes, data.size() - start));
}
std::size_t segments_of(std::size_t bytes) {
  return (bytes + kSegmentBytes - 1) / kSegmentBytes;
}

/// A broadcast within the line of ranks of one leg, from digit `root` on around the ring.
Task broadcast_line(Call& call, const Leg& leg, std::size_t root, MutableBytes data) {
  const std::size_t distance = (leg.digit + leg.size - root) % leg.size;
  const bool gives = distance + 1 < leg.size;
  Flight receive(call.engine);
  std::array<Flight, 2> sends{Flight(call.engine), Flight(call.engine)};
  for (std::size_t i = 0; i < segments_of(data.size()); ++i) {
    const MutableBytes segment = segment_of(data, i);
    if (distance > 0) {
      receive.receive(leg.previous(), tag_of(call, leg, Phase::broadcast, distance), segment, call.traffic);
      call.at("broadcast", leg.dimension, leg.dimension + 1);
      const std::size_t bytes = co_await receive.done(call);
      if (bytes != segment.size())
        fail(Status::corrupt, "a broadcast segment of ", segment.size(), " bytes arrived as ", bytes);
      call.traffic.received += bytes;
    }
    if (gives) {
      Flight& send = sends[i % 2];
      co_await send.done(call);
      send.send(leg.next(), tag_of(call, leg, Phase::broadcast, distance + 1), segment, call.traffic);
    }
  }
  for (Flight& send : sends) co_await send.done(call);
}

}  // namespace

std::size_t own_record(const std::vector<Leg>& legs) noexcept {
  std::size_t index = 0;
  for (const Leg& leg : legs) index += leg.digit * leg.weight;
  return index;
}

Task gather_records(Call& call, const std::vector<Leg>& legs, Phase phase, Records records) {
  call.engine.expect_everybody(call);  // before anything is sent that nobody would take
  std::size_t first = own_record(legs);
  for (auto leg = legs.rbegin(); leg != legs.rend(); ++leg) {
    first -= leg->digit * leg->weight;
    const auto block = [&](std::size_t digit) {
      return records.all.subspan((first + digit * leg->weight) * records.size, leg->weight * records.size);
    };
    Flight receive(call.engine);
    std::array<Flight, 2> sends{Flight(call.engine), Flight(call.engine)};
    for (std::size_t step = 0; step + 1 < leg->size; ++step) {
      const GatherStep hop = gather_step(call, *leg, phase, step);
      receive.receive(hop.from, hop.take_tag, block(hop.take), call.traffic);
      co_await sends[step % 2].done(call);
      sends[step % 2].send(hop.to, hop.give_tag, block(hop.give), call.traffic);
      call.at("agreement", step, leg->size - 1);
      const std::size_t bytes = co_await receive.done(call);
      if (bytes != block(hop.take).size())
        fail(Status::corrupt, "a record of ", block(hop.take).size(), " bytes arrived as ", bytes);
      call.traffic.received += bytes;
    }
    for (Flight& send : sends) co_await send.done(call);
  }
}

Task broadcast(Call& call, const std::vector<Leg>& legs, std::vector<std::size_t> root_digits, MutableBytes data) {
  // After leg d, all ranks that share the root's digits in the legs after d have the data.
  for (std::size_t i = 0; i < legs.size(); ++i) {
    const bool on_line = std::all_of(legs.begin() + static_cast<std::ptrdiff_t>(i) + 1, legs.end(),
                                     [&](const Leg& later) { return later.digit == root_digits[later.dimension]; });
    if (on_line) co_await broadcast_line(call, legs[i], root_digits[i], data);
  }
}

}  // namespace gossamer
