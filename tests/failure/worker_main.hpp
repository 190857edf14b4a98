#pragma once

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/failure/board.hpp"

namespace gossamer::failure {

/// main() of a worker, to be started with its RANK in the environment and the path of its board.
template <typename Worker>
int run_worker(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody is left behind, however the driver ends
  const char* rank = std::getenv("RANK");
  if (argc != 2 || rank == nullptr) return 2;
  try {
    const SharedBoard shared(argv[1]);
    Worker(shared.board(), std::atoi(rank)).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s, rank %s: %s\n", argv[0], rank, error.what());
    return 1;
  }
  return 0;
}

}  // namespace gossamer::failure
