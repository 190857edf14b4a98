#pragma once

#include <string>

namespace gossamer::tools {

/// What `gossamer info` was asked for.
struct InfoOptions {
  bool json = false;
  std::string topology;  ///< make a communicator of this one and describe it; empty: what this build is and knows
  std::string config;    ///< of that communicator: further key=value words
  int ranks = 0;         ///< fork so many processes; 0: the environment says
  int inproc = 0;        ///< start so many threads; 0: processes
};

/// `gossamer info`, to stdout. Returns the exit code.
int run_info(const InfoOptions& options);

}  // namespace gossamer::tools
