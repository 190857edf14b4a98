// The Base-(k+1) graph: Takezawa, Sato, Bao, Niwa, Yamada, "Beyond exponential graph: communication-efficient
// topologies for decentralized learning via finite-time convergence", NeurIPS 2023.
//
// Three constructions stand on one another. With every prime factor of n at most k + 1, averaging over one factor after
// the other makes all equal (hyper-hypercube). Otherwise n is written in base k + 1, and the parts that its digits
// stand for are averaged each by itself and then pairwise (simple). At last the factor of n that the first construction
// can do is split off, which may save rounds.
#include <algorithm>
#include <array>
#include <numeric>

#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/shape.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"k", "1", "peers per round, at most: an integer from 1; more peers, fewer rounds"},
};

using Nodes = std::span<const std::size_t>;
using Rounds = std::vector<MixingRound>;

bool is_smooth(std::size_t number, std::size_t limit) {
  const std::vector<std::size_t> primes = prime_factors(number);
  return primes.empty() || primes.back() <= limit;
}

// As few factors up to `limit` as multiply to `number`, whose primes are no larger.
std::vector<std::size_t> fewest_factors(std::size_t number, std::size_t limit) {
  if (number == 1) return {};
  if (number <= limit) return {number};
  std::vector<std::size_t> best;
  for (std::size_t factor = limit; factor > 1; --factor) {
    if (number % factor != 0) continue;
    std::vector<std::size_t> rest = fewest_factors(number / factor, std::min(limit, factor));
    if (rest.empty() || (!best.empty() && rest.size() + 1 >= best.size())) continue;
    rest.push_back(factor);
    best = std::move(rest);
  }
  return best;
}

Rounds hyper_hypercube(Nodes nodes, std::size_t base) {
  return average_by_digits(nodes, fewest_factors(nodes.size(), base));
}

void append(MixingRound& round, const MixingRound& more) {
  round.arcs.insert(round.arcs.end(), more.arcs.begin(), more.arcs.end());
}

// What a digit a of base^p stands for: a blocks of base^p nodes. V_l and V_{l,1} … V_{l,a} in the paper.
struct Part {
  Nodes nodes;
  std::vector<Nodes> blocks;
  std::size_t following = 0;           // nodes of this part and all after it
  Rounds whole;                        // make the part equal
  std::vector<Rounds> block_by_block;  // make each block equal
};

std::vector<Part> parts_of(Nodes nodes, std::size_t base) {
  std::size_t power = 1;
  while (power <= nodes.size() / base) power *= base;
  std::vector<Part> parts;
  for (std::size_t first = 0; first < nodes.size(); power /= base) {
    const std::size_t digit = (nodes.size() - first) / power;
    if (digit == 0) continue;
    Part part{nodes.subspan(first, digit * power), {}, nodes.size() - first, {}, {}};
    part.whole = hyper_hypercube(part.nodes, base);
    for (std::size_t block = 0; block < digit; ++block) {
      part.blocks.push_back(part.nodes.subspan(block * power, power));
      part.block_by_block.push_back(hyper_hypercube(part.blocks.back(), base));
    }
    first += digit * power;
    parts.push_back(std::move(part));
  }
  return parts;
}

// Every node of the parts after `part` meets one node of each of its blocks, and takes on the mean of all. A part is
// smaller than a block of an earlier one, so that there are partners enough; those left over average among themselves.
void exchange(MixingRound& round, std::span<const Part> parts, std::size_t base) {
  const Part& part = parts.front();
  const double share = static_cast<double>(part.nodes.size()) / static_cast<double>(part.following);
  std::size_t met = 0;
  for (const Part& later : parts.subspan(1)) {
    for (const std::size_t node : later.nodes) {
      for (const Nodes block : part.blocks) {
        link(round, node, block[met], share / static_cast<double>(part.blocks.size()));
      }
      ++met;
    }
  }
  std::vector<std::size_t> idle;
  for (const Nodes block : part.blocks) idle.insert(idle.end(), block.begin() + static_cast<long>(met), block.end());
  for (std::size_t first = 0; first < idle.size(); first += base) {
    average(round, Nodes(idle).subspan(first, std::min(base, idle.size() - first)));
  }
}

Rounds simple_base(Nodes nodes, std::size_t base) {
  if (is_smooth(nodes.size(), base)) return hyper_hypercube(nodes, base);
  const std::vector<Part> parts = parts_of(nodes, base);
  const std::size_t apart = parts.front().whole.size();  // rounds until every part is equal in itself
  Rounds rounds(apart + 1 + parts.front().block_by_block.front().size());
  for (std::size_t t = 0; t < rounds.size(); ++t) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Part& part = parts[i];
      if (t < apart) {
        if (!part.whole.empty()) append(rounds[t], part.whole[t % part.whole.size()]);
        continue;
      }
      // In round apart + i part i meets those after it; then its blocks are equal among themselves, not within.
      const bool last = i + 1 == parts.size();
      if (t == apart + i && !last) exchange(rounds[t], std::span(parts).subspan(i), base);
      const std::size_t begin = apart + i + (last ? 0 : 1);
      for (const Rounds& block : part.block_by_block) {
        if (t >= begin && !block.empty()) append(rounds[t], block[(t - begin) % block.size()]);
      }
    }
  }
  return rounds;
}

Rounds base_rounds(Nodes nodes, std::size_t base) {
  Rounds simple = simple_base(nodes, base);
  std::size_t smooth = 1;
  for (const std::size_t prime : prime_factors(nodes.size())) smooth *= prime <= base ? prime : 1;
  const std::size_t rough = nodes.size() / smooth;
  if (smooth == 1 || rough == 1) return simple;
  Rounds rounds;
  for (std::size_t group = 0; group < smooth; ++group) {
    const Rounds each = simple_base(nodes.subspan(group * rough, rough), base);
    rounds.resize(each.size());
    for (std::size_t t = 0; t < each.size(); ++t) append(rounds[t], each[t]);
  }
  Rounds across;
  for (std::size_t member = 0; member < rough; ++member) {
    std::vector<std::size_t> transversal(smooth);
    for (std::size_t group = 0; group < smooth; ++group) transversal[group] = nodes[group * rough + member];
    const Rounds each = hyper_hypercube(transversal, base);
    across.resize(each.size());
    for (std::size_t t = 0; t < each.size(); ++t) append(across[t], each[t]);
  }
  rounds.insert(rounds.end(), across.begin(), across.end());
  return simple.size() < rounds.size() ? simple : rounds;
}

GossipGraph base_graph(const Options& options, const Layout& layout) {
  const auto k = static_cast<std::size_t>(options.integer("k", 1, 1 << 20));
  std::vector<std::size_t> nodes(layout.size);
  std::iota(nodes.begin(), nodes.end(), std::size_t{0});
  return {
      .size = layout.size, .rounds = base_rounds(nodes, k + 1), .directed = false, .weighted = true, .on_ranks = false};
}

}  // namespace

TopologyEntry base_entry() noexcept {
  return {.name = "base",
          .summary = "gossip with at most k peers a round: exact after 2 log n / log(k+1) + 2 rounds or less, any n",
          .form = "base[:k=K]",
          .keys = kKeys,
          .takes_items = false,
          .make = base_graph};
}

}  // namespace gossamer
