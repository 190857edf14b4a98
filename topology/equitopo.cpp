#include <algorithm>
#include <array>
#include <cmath>

#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"variant", "D",
        "D (directed, all shifts at once), U (undirected, all at once), OD (directed, one shift a round), OU "
        "(undirected, one peer a round)"},
    Key{"M", "0", "random shifts, an integer from 1; 0: 4 ln n, rounded up, for which a round leaves about half"},
    Key{"eta", "0.5", "share of the exchange in a round of OD and OU: a number in (0, 1]"},
    Key{"rounds", "0", "rounds of OD and OU until they repeat, an integer from 1; 0: M"},
};

struct Shape {
  std::size_t size = 1;
  std::size_t shifts = 1;
  std::size_t rounds = 1;
  double exchanged = 1;  // of a rank's value when one shift is all that a round does

  [[nodiscard]] std::size_t draw_shift(Draw& draw) const { return 1 + draw.below(size - 1); }
};

// Rank i takes the value of rank i + shift. Arcs that two shifts share add up.
void shift_all(MixingRound& round, std::size_t size, std::size_t shift, double weight) {
  for (std::size_t i = 0; i < size; ++i) round.arcs.push_back({(i + shift) % size, i, weight});
}

// All shifts in one round; `undirected` takes from both sides, half of each.
void shift_at_once(GossipGraph& graph, const Shape& shape, Draw& draw) {
  const double weight = shape.exchanged / static_cast<double>(shape.shifts);
  for (std::size_t m = 0; m < shape.shifts; ++m) {
    const std::size_t shift = shape.draw_shift(draw);
    if (graph.directed) {
      shift_all(graph.rounds[0], shape.size, shift, weight);
    } else {
      shift_all(graph.rounds[0], shape.size, shift, weight / 2);
      shift_all(graph.rounds[0], shape.size, shape.size - shift, weight / 2);
    }
  }
}

// From a random rank onwards, whoever is alone meets the rank `shift` further on if that is alone too.
void meet_one(MixingRound& round, const Shape& shape, std::size_t shift, Draw& draw) {
  std::vector<char> met(shape.size, 0);
  const std::size_t first = draw.below(shape.size);
  for (std::size_t step = 0; step < shape.size; ++step) {
    const std::size_t i = (first + step) % shape.size;
    const std::size_t j = (i + shift) % shape.size;
    if (met[i] != 0 || met[j] != 0) continue;
    link(round, i, j, shape.exchanged);
    met[i] = met[j] = 1;
  }
}

void shift_by_round(GossipGraph& graph, const Shape& shape, Draw& draw) {
  std::vector<std::size_t> shifts;
  for (std::size_t m = 0; m < shape.shifts; ++m) shifts.push_back(shape.draw_shift(draw));
  graph.rounds.resize(shape.rounds);
  for (MixingRound& round : graph.rounds) {
    const std::size_t shift = shifts[draw.below(shifts.size())];
    if (graph.directed) {
      shift_all(round, shape.size, shift, shape.exchanged);
    } else {
      meet_one(round, shape, shift, draw);
    }
  }
}

// Song, Li, Jin, Shi, Yan, Yin, Yuan, "Communication-efficient topologies for decentralized learning with O(1)
// consensus rate", NeurIPS 2022: D-EquiStatic, U-EquiStatic, OD-EquiDyn, OU-EquiDyn.
GossipGraph equitopo(const Options& options, const Layout& layout) {
  const std::size_t variant = options.choice("variant", {"D", "U", "OD", "OU"});
  const auto shifts = static_cast<std::size_t>(options.integer("M", 0, 1 << 20));
  const auto rounds = static_cast<std::size_t>(options.integer("rounds", 0, 1 << 20));
  const double eta = options.real_above("eta", 0, 1);
  if (layout.size == 1) return {};
  const bool one_by_one = variant >= 2;
  const auto size = static_cast<double>(layout.size);
  Shape shape{.size = layout.size, .exchanged = (one_by_one ? eta : 1) * (size - 1) / size};
  shape.shifts = shifts != 0 ? shifts : static_cast<std::size_t>(std::ceil(4 * std::log(size)));
  shape.rounds = rounds != 0 ? rounds : shape.shifts;
  return draw_connected(layout, "a larger M= helps", [&](Draw& draw) {
    GossipGraph graph{
        .size = layout.size, .rounds = {{}}, .directed = variant % 2 == 0, .weighted = true, .on_ranks = false};
    one_by_one ? shift_by_round(graph, shape, draw) : shift_at_once(graph, shape, draw);
    return graph;
  });
}

}  // namespace

TopologyEntry equitopo_entry() noexcept {
  return {.name = "equitopo",
          .summary = "gossip: random shifts of all ranks; the gap does not shrink as ranks are added",
          .form = "equitopo[:variant=D|U|OD|OU,...]",
          .keys = kKeys,
          .takes_items = false,
          .make = equitopo};
}

}  // namespace gossamer
