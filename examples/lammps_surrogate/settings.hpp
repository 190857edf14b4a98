#pragma once

#include <string>
#include <vector>

#include "replica.hpp"
#include "simulation.hpp"

namespace surrogate {

struct Settings {
  MeltSettings melt;
  double start_kelvin = 1000;
  double end_kelvin = 2000;

  int steps_per_snapshot = 25;
  int snapshots_per_epoch = 4;  ///< to train on; one more is held out
  int replay_snapshots = 24;
  int held_out_snapshots = 10;
  double radial_cutoff = 6.0;   ///< Å
  double angular_cutoff = 4.5;  ///< Å

  TrainingSettings training;
  std::vector<int> hidden = {512, 448, 64};
  std::vector<std::string> codecs = {"identity", "bf16", "topk:ratio=0.01", "powersgd:rank=4"};
  std::string config;  ///< of the communicator

  std::string output = "lammps_surrogate";
  std::string checkpoint;
  int checkpoint_epoch = 0;  ///< 0: half of the epochs
  std::string restart;
  std::string record;

  /// What a restarted run must have in common with the one that it continues, one `key=value` after the other.
  [[nodiscard]] std::string fingerprint(int ranks) const;
};

/// Reads the command line. Returns false when there is nothing to run because help was asked for, which is printed
/// where `print` is true. Throws UsageError with a sentence about the option.
bool parse(int argc, char** argv, bool print, Settings& settings);

}  // namespace surrogate
