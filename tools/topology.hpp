#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "topology/diagnostics.hpp"
#include "topology/topology.hpp"

namespace gossamer::tools {

/// What `gossamer topology` was asked for.
struct TopologyOptions {
  std::string spec;
  std::vector<std::string> compare;  ///< specs, or "all": every topology that exists for so many ranks
  int ranks = 8;
  int hosts = 1;  ///< that the ranks are spread over, in blocks
  std::string weights = "auto";
  std::uint64_t seed = 0;
  std::uint64_t bytes = 0;  ///< of a payload; 0: what the codec makes of `count` values
  std::uint64_t count = 1U << 20U;
  std::string codec = "identity";
  double latency_us = 20;   ///< of links between ranks, or between hosts if there are several
  double bandwidth = 1.25;  ///< of these, in GB/s
  std::string svg;          ///< file to draw into, or empty
  std::string dot;
  std::string layout;  ///< Graphviz's program; empty: fdp for several hosts, else circo
  bool json = false;
};

/// Where the ranks of the question run.
std::vector<Place> places_of(const TopologyOptions& options);

/// One topology and what it comes to.
struct TopologyRow {
  Topology topology;
  Diagnosis diagnosis;
};

void print_topology(const TopologyOptions& options, const GossipJob& job, const TopologyRow& row);
/// Rows come with the best first.
void print_comparison(const TopologyOptions& options, const GossipJob& job, const std::vector<TopologyRow>& rows);

/// Draws Graphviz text into a file. Throws `system` when Graphviz is not installed, and says how to install it.
void draw_svg(const std::string& dot, const std::string& program, const std::string& path);

/// `gossamer topology`. Returns the exit code.
int run_topology(const TopologyOptions& options);

}  // namespace gossamer::tools
