#include <algorithm>

#include "lib/all_reduce.hpp"

namespace gossamer {
namespace {

// A message should be long enough to pay for itself and short enough to be worked on in the second-level cache.
constexpr std::size_t kMessageBytes = 256 * 1024;
constexpr std::size_t kLongestPart = 1 << 20;     // elements
constexpr std::size_t kShortestPart = 4096;       // elements: below, more slabs cost more than they hide
constexpr std::size_t kLanes = 2;                 // one on the wire while another is worked on
constexpr std::size_t kFewLanes = 1;              // rather than messages shorter than
constexpr std::size_t kShortMessage = 64 * 1024;  // bytes

std::size_t divide_up(std::size_t a, std::size_t b) noexcept {
  return (a + b - 1) / b;
}

/// Parts start where the codec wants them to, or else on boundaries that suit vectors and quantisation blocks, unless
/// they are too short for it to matter.
std::size_t unit_of(std::size_t elements, std::size_t grain) noexcept {
  return grain > 1 ? grain : elements >= 4096 ? 256 : elements >= 64 ? 16 : 1;
}
std::size_t aligned(std::size_t elements, std::size_t grain) noexcept {
  return divide_up(elements, unit_of(elements, grain)) * unit_of(elements, grain);
}

}  // namespace

Part Cut::elements(std::size_t slab, std::size_t first, std::size_t parts) const noexcept {
  const std::size_t start = slab * slab_count();
  const std::size_t length = std::min(slab_count(), count - start);
  if (gathered) return {start, length, first};
  if (balanced != nullptr) {
    const std::size_t from = balanced->border(start, length, first, ranks);
    return {from, balanced->border(start, length, first + parts, ranks) - from, first};
  }
  const std::size_t part = length == slab_count() ? part_count : aligned(divide_up(length, ranks), grain);
  const std::size_t from = std::min(first * part, length);
  const std::size_t to = std::min((first + parts) * part, length);
  return {start + from, to - from, first};
}

std::vector<Leg> legs_of(const Topology& topology, int rank) {
  std::vector<Leg> legs;
  std::size_t weight = static_cast<std::size_t>(topology.size());
  for (const Dimension& dimension : topology.dimensions()) {
    Leg leg;
    leg.size = dimension.size;
    leg.digit = topology.digit(rank, dimension);
    leg.weight = weight /= dimension.size;
    leg.direct = dimension.direct;
    leg.dimension = static_cast<std::uint32_t>(legs.size());
    for (std::size_t digit = 0; digit < dimension.size; ++digit)
      leg.peers.push_back(topology.peer(rank, dimension, digit));
    legs.push_back(std::move(leg));
  }
  return legs;
}

Cut choose_cut(const Codec& codec, const Shape& shape, const CutPlan& plan) {
  Cut cut{shape.count(), plan.ranks, 0, 1, 1, plan.kind == ReducerKind::gather};
  if (const auto* grained = dynamic_cast<const Grained*>(&codec)) cut.grain = grained->grain();
  cut.balanced = dynamic_cast<const Balanced*>(&codec);
  const std::size_t stretch = cut.balanced != nullptr ? Balanced::kLongest : 1;  // of slots, for the longest part
  const std::size_t slots = std::max<std::size_t>(plan.slots, 1) * stretch;
  const std::size_t shares = cut.gathered ? 1 : cut.ranks;
  const std::size_t whole = aligned(divide_up(std::max<std::size_t>(cut.count, 1), shares), cut.grain);
  const double payload_bytes = static_cast<double>(codec.typical_payload(kLongestPart)) / kLongestPart;
  const double slot_bytes = static_cast<double>(codec.max_payload(kLongestPart) * slots) / kLongestPart;
  const double budget = static_cast<double>(shape.bytes()) * 0.245;  // a quarter, less what headers take
  const auto affordable = [&](std::size_t lanes) {
    return static_cast<std::size_t>(budget / (slot_bytes * static_cast<double>(lanes)));
  };
  std::size_t lanes = kLanes;
  const bool in_place = plan.kind == ReducerKind::in_place;
  if (in_place && static_cast<double>(affordable(lanes)) * payload_bytes < kShortMessage) lanes = kFewLanes;
  const auto wanted = static_cast<std::size_t>(kMessageBytes / std::max(payload_bytes, 1e-3));
  const std::size_t part = std::min({kLongestPart, wanted, affordable(lanes)});
  const std::size_t bounded = std::clamp(part, std::min(kShortestPart / stretch, whole), whole);
  const std::size_t unit = unit_of(bounded, cut.grain);
  cut.part_count = bounded == whole ? whole : std::max<std::size_t>(1, bounded / unit) * unit;
  cut.lanes = std::max<std::size_t>(1, std::min(lanes, cut.slabs()));
  return cut;
}

}  // namespace gossamer
