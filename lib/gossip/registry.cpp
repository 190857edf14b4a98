#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "lib/base/error.hpp"
#include "lib/gossip/entries.hpp"
#include "lib/gossip/groups.hpp"

namespace gossamer {

std::span<const MixingEntry> mixings() noexcept {
#define GOSSAMER_ENTRY(name) name##_mixing(),
  static const std::array kEntries = {GOSSAMER_MIXINGS(GOSSAMER_ENTRY)};
#undef GOSSAMER_ENTRY
  return kEntries;
}

namespace {

const MixingEntry& entry_of(const Spec& spec) {
  const auto place = std::ranges::find(mixings(), spec.name, &MixingEntry::name);
  if (place != mixings().end()) return *place;
  std::vector<std::string_view> known;
  for (const MixingEntry& entry : mixings()) known.push_back(entry.name);
  refuse_unknown("mixing", spec.name, known);
}

struct Line {
  std::string_view kind;  ///< "row" or "column"
  int rank;
};

void expect_one(std::string_view who, const Topology& topology, Line line, double sum, std::span<const Edge> others) {
  constexpr double kRounding = 1e-9;
  for (const Edge& edge : others) sum += edge.weight;
  if (std::abs(sum - 1) <= kRounding) return;
  fail(Status::argument, who, " needs ", line.kind, "s of the mixing matrix that sum to 1; rank ", line.rank, "'s ",
       line.kind, " of topology ", topology.spec(), " sums to ", sum, ": choose other weights= (push-sum wants ",
       "out-uniform, others metropolis or uniform)");
}

}  // namespace

const MixingEntry& find_mixing(std::string_view text) {
  const Spec spec = Spec::parse(text);
  const MixingEntry& entry = entry_of(spec);
  static_cast<void>(Options("mixing " + spec.name, spec, entry.keys));
  return entry;
}

void check_graph(const MixingEntry& entry, const Topology& topology) {
  if (entry.fixed_graph && topology.period() > 1) {
    fail(Status::argument, "mixing=", entry.name, " needs a graph that stays; ", topology.spec(), " changes for ",
         topology.period(), " rounds before it repeats");
  }
  if (entry.two_way && !topology.symmetric()) {
    fail(Status::argument, "mixing=", entry.name, " needs edges that go both ways with equal weights; of topology ",
         topology.spec(), " some do not");
  }
  expect_stochastic(sentence("mixing=", entry.name), entry.needs, topology);
  if (entry.in_groups) expect_groups(sentence("mixing=", entry.name), topology);
}

void expect_survival(const MixingEntry& entry) {
  if (entry.survives) return;
  std::vector<std::string_view> others;
  for (const MixingEntry& each : mixings()) {
    if (each.survives) others.push_back(each.name);
  }
  fail(Status::argument, "mixing=", entry.name, " cannot go on without a rank that dies, as on_failure=continue asks; ",
       "these can: ", join(others));
}

void expect_stochastic(std::string_view who, Stochastic needs, const Topology& topology) {
  for (std::uint64_t round = 0; round < topology.period(); ++round) {
    for (int rank = 0; rank < topology.size(); ++rank) {
      const Neighbourhood around = topology.at(rank, round);
      if (needs == Stochastic::rows || needs == Stochastic::both)
        expect_one(who, topology, {"row", rank}, around.self_weight, around.in);
      if (needs == Stochastic::columns || needs == Stochastic::both)
        expect_one(who, topology, {"column", rank}, around.self_weight, around.out);
    }
  }
}

std::unique_ptr<Mixer> make_mixer(std::string_view text, const MixingSetup& setup) {
  const Spec spec = Spec::parse(text);
  const MixingEntry& entry = entry_of(spec);
  const Options options("mixing " + spec.name, spec, entry.keys);
  return entry.make == nullptr ? nullptr : entry.make(options, setup);
}

}  // namespace gossamer
