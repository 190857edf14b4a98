#pragma once

#include <functional>
#include <string>

#include "lib/include/gossamer/gossamer.h"

namespace gossamer::tools {

/// What one rank does with its communicator, which it owns; returns an exit code, may throw Error.
using RankMain = std::function<int(goss_comm*)>;

/// Ranks as threads of this process. Returns the first exit code that is not 0.
int run_threads(int ranks, const std::string& config, const RankMain& rank_main);
/// Ranks as child processes, which find each other over a free port of the loopback device. The caller has no threads
/// yet. Returns the first exit code that is not 0; a rank that a signal ended counts as 128 + signal.
int run_children(int ranks, const std::string& config, const RankMain& rank_main);
/// This process is one rank, as the environment says; alone without any word there.
int run_from_environment(const std::string& config, const RankMain& rank_main);

/// Fills in MASTER_ADDR and MASTER_PORT for ranks that one launcher started on this host, unless they are set.
void default_rendezvous();

}  // namespace gossamer::tools
