#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>

#include "errors.hpp"
#include "experiment.hpp"

namespace {

using surrogate::Experiment;
using surrogate::Settings;
using surrogate::UsageError;

// Another MPI's mpirun starts processes that do not find each other: n runs of one rank instead of one run of n.
void check_launcher(int ranks) {
  const char* started = std::getenv("PMI_SIZE");
  if (started && ranks == 1 && std::atoi(started) > 1) {
    throw UsageError("this mpirun is not of the MPI that LAMMPS is built with; on Debian use mpirun.openmpi");
  }
}

int run(int argc, char** argv) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  // Outside of the try block, so that a rank that fails in the middle of a run ends the others before it clears up:
  // they would be waiting for it, and it for them.
  std::unique_ptr<Experiment> experiment;
  try {
    check_launcher(ranks);
    Settings settings;
    if (!surrogate::parse(argc, argv, rank == 0, settings)) return 0;
    // Debian's LAMMPS ends the program when it is not content, and says why in its log only.
    if (rank == 0) std::printf("LAMMPS writes its log to %s\n", settings.melt.log.c_str());
    std::fflush(stdout);
    experiment = std::make_unique<Experiment>(MPI_COMM_WORLD, settings);
    experiment->run();
    return 0;
  } catch (const UsageError& error) {
    if (rank == 0) std::fprintf(stderr, "lammps_surrogate: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lammps_surrogate: rank %d: %s\n", rank, error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int code = run(argc, argv);
  MPI_Finalize();
  return code;
}
