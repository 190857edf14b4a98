#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {
namespace {

// The exponential graph taken apart, one hop a round (Ying et al., NeurIPS 2021).
GossipGraph one_peer_exponential(const Options& /*options*/, const Layout& layout) {
  GossipGraph graph{.size = layout.size, .rounds = {}, .directed = true, .weighted = true, .on_ranks = false};
  for (std::size_t hop = 1; hop < layout.size; hop *= 2) {
    MixingRound& round = graph.rounds.emplace_back();
    for (std::size_t i = 0; i < layout.size; ++i) round.arcs.push_back({i, (i + hop) % layout.size, 0.5});
  }
  return graph;
}

}  // namespace

TopologyEntry one_peer_exponential_entry() noexcept {
  return {.name = "one-peer-exponential",
          .summary = "gossip: in round t everybody sends to the rank 2^t further on; exact after log2 n if n = 2^k",
          .form = "one-peer-exponential",
          .keys = {},
          .takes_items = false,
          .make = one_peer_exponential};
}

}  // namespace gossamer
