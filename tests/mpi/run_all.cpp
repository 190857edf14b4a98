#include <chrono>
#include <cstdio>
#include <map>

#include "tests/mpi/team.hpp"

namespace gossamer::laws {
namespace {

std::vector<std::string> topologies_for(int ranks) {
  std::vector<std::string> specs = {"ring", "hypercube", "complete"};
  if (ranks == 4) specs.emplace_back("torus:2x2");
  if (ranks == 6) specs.emplace_back("torus:3x2");
  if (ranks == 8) specs.emplace_back("torus:2x4");
  return specs;
}

void check(const Setting& setting, Extent extent) {
  check_barrier(setting);
  check_codecs(setting, extent);
  check_identity(setting, extent);
  check_many_in_flight(setting, extent == Extent::whole ? 100 : 20);
  check_broadcasts(setting, extent);
  check_mix(setting, 100'003, 1);
  check_push(setting);
}

/// Graphs for gossip: their exact collectives are those of a ring.
void check_gossip(const Setting& setting) {
  check_barrier(setting);
  check_mix(setting, 100'003, 1);
  check_push(setting);
}

/// Runs `checks` on a communicator of this configuration.
template <typename Checks>
void with_communicator(Team& team, const std::string& config, const Checks& checks) {
  goss_comm* comm = nullptr;
  ok(team.connect(config.c_str(), &comm), config);
  const auto start = std::chrono::steady_clock::now();
  checks(Setting{team, comm, config + ", " + std::to_string(team.size()) + " ranks"});
  goss_comm_destroy(comm);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (team.rank() == 0) std::printf("%6.2f s  %s\n", seconds, config.c_str());
}

void check_all(Team& team, Extent extent) {
  for (const std::string transport : {"ucx", "ucx:tls=tcp+self"}) {
    const std::string config = "min_compress=0 transport=" + transport + " topology=";
    for (const std::string& topology : topologies_for(team.size())) {
      const bool first = transport == "ucx" && topology == "ring";
      with_communicator(team, config + topology,
                        [&](const Setting& setting) { check(setting, first ? Extent::whole : extent); });
    }
    for (const std::string graph : {"exponential", "base:k=1", "star"}) {
      with_communicator(team, config + graph, check_gossip);
    }
    const std::string everybody = "moshpit:1x" + std::to_string(team.size());
    with_communicator(team, config + everybody + " mixing=moshpit", [](const Setting& setting) {
      check_mix(setting, 100'003, 1);
      check_rounds(setting);
    });
    with_communicator(team, config + "ring mixing=powergossip:rank=4,iterations=2", check_rounds);
    with_communicator(team, config + "ring staleness=1", check_pace);
    with_communicator(team, config + "complete mixing=pairwise", check_pairs);
  }
}

/// Every registered topology, sized for this number of ranks; a graph from a file has tests of its own.
std::vector<std::string> every_topology(int ranks) {
  const std::string halves = ":2x" + std::to_string(ranks / 2);
  const std::map<std::string, std::string> parameters = {
      {"torus", halves}, {"moshpit", halves}, {"hierarchical", ":local=2"}, {"random-regular", ":degree=3"}};
  std::vector<std::string> specs;
  for (int i = 0; goss_topology_name(i) != nullptr; ++i) {
    const std::string name = goss_topology_name(i);
    const auto more = parameters.find(name);
    if (name != "file") specs.push_back(more == parameters.end() ? name : name + more->second);
  }
  return specs;
}

void check_every_topology(Team& team) {
  for (const std::string& topology : every_topology(team.size())) {
    with_communicator(team, "min_compress=0 topology=" + topology, [](const Setting& setting) {
      check_connections(setting);
      check_many_in_flight(setting, 3);
      check_mix(setting, 1009, 4);
    });
  }
}

template <typename Checks>
int outcome_of(const Team& team, const Checks& checks) {
  try {
    checks();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d of %d: %s\n", team.rank(), team.size(), error.what());
    return 1;
  }
}

}  // namespace

int run_all(Team& team, Extent extent) {
  return outcome_of(team, [&] { check_all(team, extent); });
}

int run_every_topology(Team& team) {
  return outcome_of(team, [&] { check_every_topology(team); });
}

}  // namespace gossamer::laws
