// The laws of every call over UCX, for the ranks of an MPI program. With the argument `whole`, all of them for every
// transport and topology; with `topologies`, a few for every topology; else for the first of each, and a part for the
// others.
#include <gossamer/gossamer_mpi.h>

#include <cstdio>
#include <string_view>
#include <thread>

#include "tests/mpi/team.hpp"

namespace gossamer::laws {
namespace {

class MpiTeam final : public Team {
 public:
  MpiTeam() {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  [[nodiscard]] int rank() const noexcept override { return rank_; }
  [[nodiscard]] int size() const noexcept override { return size_; }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    const int bytes = static_cast<int>(mine.size());
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallgather(mine.data(), bytes, MPI_BYTE, all.data(), bytes, MPI_BYTE, MPI_COMM_WORLD, &request);
    finish(request);
  }
  void sum(std::span<double> values) override {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD,
                   &request);
    finish(request);
  }
  goss_status connect(const char* config, goss_comm** comm) override {
    return goss_comm_create_mpi(MPI_COMM_WORLD, config, comm);
  }

 private:
  /// MPICH's blocking calls spin, which takes the cores from ranks that still have work to do.
  static void finish(MPI_Request& request) {
    for (int done = 0; done == 0;) {
      MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      if (done == 0) std::this_thread::yield();
    }
  }

  int rank_ = -1;
  int size_ = 0;
};

}  // namespace
}  // namespace gossamer::laws

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  gossamer::laws::MpiTeam team;
  const std::string_view wish = argc > 1 ? argv[1] : "";
  const auto extent = wish == "whole" ? gossamer::laws::Extent::whole : gossamer::laws::Extent::reduced;
  const int code = wish == "topologies" ? run_every_topology(team) : run_all(team, extent);
  if (code != 0) MPI_Abort(MPI_COMM_WORLD, code);
  MPI_Finalize();
  return 0;
}
