#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "lib/include/gossamer/gossamer.h"

namespace gossamer::tools {

/// What calls are compared with, timed in the same run.
class Rival {
 public:
  virtual ~Rival() = default;
  /// Blocking, collective.
  virtual void call(std::byte* data, std::size_t count, goss_dtype dtype) = 0;
  [[nodiscard]] virtual std::string name() const = 0;
};

/// MPI_Allreduce: in place, sum.
class MpiRival : public Rival {
 public:
  /// A communicator over MPI's ranks; the caller's. Collective.
  virtual goss_comm* communicator(const std::string& config) = 0;
  /// Says goodbye to the other ranks after the last call, when all went well so far that `exit_code` is known.
  virtual void finish(int exit_code) = 0;
};

/// In the program without MPI this replaces the process by the one built with the MPI whose mpirun
/// started it; throws `unsupported` when that is not to be found, or no mpirun started it.
std::unique_ptr<MpiRival> start_mpi(char** arguments);

}  // namespace gossamer::tools
