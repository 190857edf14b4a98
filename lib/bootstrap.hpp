#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "gossamer/gossamer.h"
#include "lib/base/bytes.hpp"
#include "lib/base/log.hpp"

namespace gossamer {

/// How ranks find each other, once: an all-gather of small blobs. Used by one thread while a communicator is made.
class Bootstrap {
 public:
  virtual ~Bootstrap() = default;
  [[nodiscard]] virtual int rank() const noexcept = 0;
  [[nodiscard]] virtual int size() const noexcept = 0;
  /// Collective and blocking. All ranks bring blobs of one size; returns them joined in rank order.
  virtual std::vector<std::byte> allgather(Bytes mine) = 0;
};

/// Through the caller's function, which must stay callable as long as the Bootstrap lives.
/// Throws `argument` for a rank outside 0 … size − 1 or a NULL function; allgather() throws `system` with the value the
/// function returned.
std::unique_ptr<Bootstrap> callback_bootstrap(const goss_bootstrap& callback);

/// Over TCP, from the environment. Rank and size come from the first of these pairs that is set whole:
/// RANK and WORLD_SIZE, PMI_RANK and PMI_SIZE, OMPI_COMM_WORLD_RANK and OMPI_COMM_WORLD_SIZE, SLURM_PROCID and
/// SLURM_NTASKS. With more than one rank, MASTER_ADDR and MASTER_PORT say where rank 0 listens until all have arrived;
/// one rank alone opens no socket.
///
/// Blocking and collective. Ranks may start in any order; the wait, and every later allgather(), ends after
/// `timeout_seconds` without an answer. Strangers on the port are turned away with a warning. When one rank fails, rank
/// 0 tells the others why, so that all throw the same.
/// Throws `argument` (a variable missing or no number, a rank given twice), `mismatch` (different WORLD_SIZE), `system`
/// (the port is taken, the name does not resolve), `timeout` (names the ranks that did not come), `peer` (a rank died).
std::unique_ptr<Bootstrap> env_bootstrap(double timeout_seconds, LogLevel log_level = LogLevel::warn);

}  // namespace gossamer
