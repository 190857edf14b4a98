#include "topology/gossip_graph.hpp"

#include "lib/base/error.hpp"

namespace gossamer {

void link(MixingRound& round, std::size_t a, std::size_t b, double weight) {
  round.arcs.push_back({a, b, weight});
  round.arcs.push_back({b, a, weight});
}

void average(MixingRound& round, std::span<const std::size_t> members) {
  const double weight = 1 / static_cast<double>(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (std::size_t j = i + 1; j < members.size(); ++j) link(round, members[i], members[j], weight);
  }
}

std::vector<MixingRound> average_by_digits(std::span<const std::size_t> members, std::span<const std::size_t> factors) {
  std::vector<MixingRound> rounds;
  std::size_t stride = 1;
  for (const std::size_t factor : factors) {
    MixingRound& round = rounds.emplace_back();
    std::vector<std::size_t> group(factor);
    for (std::size_t first = 0; first < members.size(); ++first) {
      if (first / stride % factor != 0) continue;
      for (std::size_t digit = 0; digit < factor; ++digit) group[digit] = members[first + digit * stride];
      average(round, group);
    }
    stride *= factor;
  }
  return rounds;
}

std::size_t doublings(std::size_t size) noexcept {
  std::size_t count = 0;
  while ((std::size_t{1} << count) < size) ++count;
  return count;
}

GossipGraph draw_connected(const Layout& layout, std::string_view hint, const std::function<GossipGraph(Draw&)>& make) {
  constexpr int kDraws = 100;
  for (int attempt = 0; attempt < kDraws; ++attempt) {
    Draw draw(layout.seed, sentence(layout.spec, " ", layout.size, " ", attempt));
    GossipGraph graph = make(draw);
    if (cut_off(graph).empty()) return graph;
  }
  fail(Status::argument, "topology ", layout.spec, ": none of ", kDraws, " draws with seed ", layout.seed,
       " connects all ", layout.size, " ranks; ", hint);
}

}  // namespace gossamer
