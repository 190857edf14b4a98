#include "topology/automatic.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "lib/base/error.hpp"
#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/shape.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kLongRing = 16;    // ranks whose 2 (n - 1) steps are worth two more connections each
constexpr std::size_t kShortFactor = 4;  // above it a hypercube's rings are long themselves

std::vector<Dimension> automatic(const Options& /*options*/, const Layout& layout) {
  return choose_automatically(layout.ranks_per_host).dimensions;
}

}  // namespace

AutomaticChoice choose_automatically(std::span<const std::size_t> ranks_per_host) {
  const std::size_t hosts = ranks_per_host.size();
  const std::size_t local = ranks_per_host.front();
  const std::size_t size = std::accumulate(ranks_per_host.begin(), ranks_per_host.end(), std::size_t{0});
  const bool even =
      std::all_of(ranks_per_host.begin(), ranks_per_host.end(), [local](std::size_t count) { return count == local; });
  if (hosts == 1) return {{{.size = size}}, "ring", sentence("all ranks, ", size, ", are on one host")};
  if (even && local > 1) {
    return {{{.size = local}, {.size = hosts}},
            "hierarchical",
            sentence("each of ", hosts, " hosts has ", local, " ranks")};
  }
  const std::string why = even ? sentence("each of ", hosts, " hosts has one rank")
                               : sentence(hosts, " hosts have different numbers of ranks");
  const std::vector<std::size_t> primes = prime_factors(size);
  if (size <= kLongRing) return {{{.size = size}}, "ring", why + sentence(", and ", size, " ranks are few")};
  if (primes.back() > kShortFactor) {
    return {{{.size = size}}, "ring", why + sentence(", and ", size, " has the prime factor ", primes.back())};
  }
  AutomaticChoice choice{
      {}, "hypercube", why + sentence(", and a ring of ", size, " would take ", 2 * (size - 1), " steps")};
  for (const std::size_t prime : primes) choice.dimensions.push_back({.size = prime});
  return choice;
}

AutomaticChoice choose_automatically(std::span<const Place> places) {
  std::map<std::uint64_t, std::size_t> counts;
  for (const Place& place : places) ++counts[place.host];
  std::vector<std::size_t> ranks_per_host;
  for (const auto& [host, count] : counts) ranks_per_host.push_back(count);
  return choose_automatically(ranks_per_host);
}

TopologyEntry automatic_entry() noexcept {
  return {.name = "auto",
          .summary = "ring, hierarchical or hypercube, by the number of ranks and the hosts they are on",
          .form = "auto",
          .keys = {},
          .takes_items = false,
          .make = automatic};
}

}  // namespace gossamer
