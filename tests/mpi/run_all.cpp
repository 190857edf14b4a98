#include <chrono>
#include <cstdio>

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
  check_mix(setting);
}

void check_all(Team& team, Extent extent) {
  for (const std::string transport : {"ucx", "ucx:tls=tcp+self"}) {
    for (const std::string& topology : topologies_for(team.size())) {
      const std::string config = "min_compress=0 transport=" + transport + " topology=" + topology;
      goss_comm* comm = nullptr;
      ok(team.connect(config.c_str(), &comm), config);
      const bool first = transport == "ucx" && topology == "ring";
      const auto start = std::chrono::steady_clock::now();
      check({team, comm, config + ", " + std::to_string(team.size()) + " ranks"}, first ? Extent::whole : extent);
      goss_comm_destroy(comm);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (team.rank() == 0) std::printf("%6.2f s  %s\n", seconds, config.c_str());
    }
  }
}

}  // namespace

int run_all(Team& team, Extent extent) {
  try {
    check_all(team, extent);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d of %d: %s\n", team.rank(), team.size(), error.what());
    return 1;
  }
}

}  // namespace gossamer::laws
