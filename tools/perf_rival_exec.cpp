#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "lib/base/error.hpp"
#include "tools/perf_rival.hpp"

namespace gossamer::tools {

std::unique_ptr<MpiRival> start_mpi(char** arguments) {
  const char* flavour = std::getenv("OMPI_COMM_WORLD_RANK") != nullptr ? "openmpi"
                        : std::getenv("PMI_RANK") != nullptr           ? "mpich"
                                                                       : nullptr;
  if (flavour == nullptr) {
    fail(Status::unsupported,
         "--against mpi needs MPI ranks: start with mpirun.openmpi or mpirun.mpich -n N, "
         "without --ranks and --inproc");
  }
  const auto program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / (std::string("gossamer-perf-") + flavour);
  execv(program.c_str(), arguments);
  fail(Status::unsupported, "--against mpi under ", flavour, " needs ", program.string(), ": ", std::strerror(errno),
       "; it is built where that MPI's compiler wrapper is installed");
}

}  // namespace gossamer::tools
