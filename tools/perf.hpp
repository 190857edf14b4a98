#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/include/gossamer/gossamer.h"

namespace gossamer::tools {

/// What is timed: an all-reduce that sums or takes the mean, a round of gossip, or a push and a pull.
enum class PerfOp { sum, mean, mix, push };

/// Whether neighbours talk to each other only, so that there is no result that all have.
constexpr bool is_gossip(PerfOp op) noexcept {
  return op == PerfOp::mix || op == PerfOp::push;
}

/// What `gossamer perf` was asked for.
struct PerfOptions {
  std::uint64_t begin_bytes = 4U << 10U;
  std::uint64_t end_bytes = 64U << 20U;
  std::uint64_t factor = 4;
  int iterations = 20;
  int warmup = 5;
  std::string codec = "identity";
  std::string topology;   ///< empty: the default
  std::string transport;  ///< empty: ucx, or inproc under --inproc
  std::string config;     ///< further key=value words
  goss_dtype dtype = GOSS_FLOAT32;
  PerfOp op = PerfOp::sum;
  std::uint64_t seed = 1;
  std::string tensors;         ///< "resnet50" instead of sizes
  int ranks = 0;               ///< fork so many processes; 0: the environment says
  int inproc = 0;              ///< start so many threads; 0: processes
  std::string against;         ///< "mpi" or empty
  double work_seconds = 0.01;  ///< slept before each step of the trials of a slow rank
  double slow = 0;             ///< how many times longer rank 0 sleeps in them; 0: no such trials
  bool check = false;
  bool explain = false;
  bool json = false;

  /// The configuration text for goss_comm_create.
  [[nodiscard]] std::string communicator_config() const;
};

/// One registered tensor of a case.
struct TensorShape {
  std::string name;
  std::vector<std::size_t> dims;

  [[nodiscard]] std::size_t count() const noexcept;
};

/// What one line of the table times: an all-reduce of these tensors, all in flight at once.
using Case = std::vector<TensorShape>;

/// The cases of the options, smallest first.
std::vector<Case> cases_of(const PerfOptions& options);
/// ResNet-50's 161 gradients (25,557,032 parameters; He et al., CVPR 2016) in the order backpropagation makes them.
Case resnet50();

/// What one case came to, over all ranks.
struct CaseResult {
  std::uint64_t bytes = 0;            ///< of input per rank
  std::vector<double> seconds;        ///< of one call on the slowest rank, ascending
  std::vector<double> rival_seconds;  ///< the same for the rival; empty without one
  double wire_bytes = 0;              ///< sent per call, mean of the ranks
  double ratio = 0;                   ///< how many times fewer than the dense ring's 2(n-1)/n bytes; 0 for one rank
  double error = 0;                   ///< |result - exact| / |exact| in L2 against float64, see Accuracy
  double encode_seconds = 0, reduce_seconds = 0, decode_seconds = 0, wait_seconds = 0;  ///< per call, mean of the ranks
  std::vector<std::string> broken;  ///< sentences about broken laws and bounds, under --check
};

/// `gossamer perf` on this rank or as the parent of its ranks. Returns the exit code. `arguments` is what main() got,
/// for the program that knows MPI.
int run_perf(const PerfOptions& options, char** arguments);

}  // namespace gossamer::tools
