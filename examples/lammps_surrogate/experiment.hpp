#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "report.hpp"
#include "settings.hpp"

namespace surrogate {

/// The melt, the data that it yields, and the models that learn from it, one for every codec.
class Experiment {
 public:
  /// Collective. Starts afresh, or from settings.restart.
  Experiment(MPI_Comm comm, const Settings& settings);
  /// Runs the epochs that are left, checkpoint included, and reports on rank 0.
  void run();

 private:
  void restore();
  void introduce() const;
  void simulate(int epoch);
  void take_snapshots();
  EpochRecord train(int epoch);
  CodecRecord train(int epoch, Replica& replica, const Samples& pool, const Samples& held_out);
  void close_epoch(int epoch);
  void finish();
  void archive(Archive& archive);
  [[nodiscard]] double thermostat(int epoch) const;
  [[nodiscard]] std::string rank_file(const std::string& base) const;

  Settings settings_;
  MPI_Comm mpi_;
  Descriptors descriptors_;
  Ranks ranks_;
  std::unique_ptr<Simulation> simulation_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  Report report_;

  // Until the first epoch has given the normaliser, samples are raw; from then on all are normalised.
  Normaliser normaliser_;
  bool normalised_ = false;
  std::deque<Samples> replay_, held_out_;
  std::vector<EpochRecord> history_;
};

}  // namespace surrogate
