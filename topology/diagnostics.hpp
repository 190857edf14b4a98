#pragma once

#include <cstdint>
#include <optional>

#include "topology/links.hpp"
#include "topology/topology.hpp"

namespace gossamer {

/// What a rank has to send in a round, and over what.
struct GossipJob {
  double payload_bytes = 1 << 20;  ///< to each receiver
  Links links;
};

/// Least and most over all ranks and the rounds of a period.
struct Range {
  std::size_t least = 0;
  std::size_t most = 0;
};

/// What a topology is good for. Times are a model: ranks send to all receivers at once, as a Rush.
struct Diagnosis {
  double spectral_gap = 1;
  std::optional<double> least_eigenvalue;  ///< as Topology has it
  bool exact = false;                      ///< a number of rounds ends in consensus
  double rounds = 0;                 ///< until disagreement is 1000 times smaller, or gone if exact; infinity: never
  Range in_degree;                   ///< in one round
  Range out_degree;                  ///< in one round
  std::size_t connections = 0;       ///< of the rank that has most, over all rounds and collectives
  int diameter = 0;                  ///< of all rounds together
  double bytes_per_round = 0;        ///< out of a rank, mean over ranks and rounds
  double round_seconds = 0;          ///< mean over a period
  double seconds = 0;                ///< rounds · round_seconds
  std::size_t all_reduce_steps = 0;  ///< of the exact sum, along the dimensions
  double all_reduce_seconds = 0;     ///< of payloads that keep their size
};

/// Takes what spectral_gap() and diameter() take, and n · period rounds for exact graphs.
Diagnosis diagnose(const Topology& topology, const GossipJob& job);

}  // namespace gossamer
