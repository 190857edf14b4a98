#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "adam.hpp"
#include "archive.hpp"
#include "dataset.hpp"
#include "exchange.hpp"
#include "recorder.hpp"

namespace surrogate {

inline constexpr const char* dense_codec = "identity";

/// How the models are trained.
struct TrainingSettings {
  std::vector<int> widths;  ///< of the layers, descriptors first, 1 last
  int batch_atoms = 512;    ///< per step, over all ranks
  int steps_per_epoch = 50;
  int epochs = 40;
  double learning_rate = 2e-3;  ///< at the start; falls to 0 along a half cosine
  double momentum = 0.9;        ///< decay of Adam's first moment
  double sparse_momentum = 0;   ///< the same for codecs that send few entries at a time
  std::uint64_t seed = 1;

  /// Adam's momentum under a codec. Error feedback of a sparse codec holds an entry back until its sum over some
  /// hundred steps is large, and so averages over time already; with momentum on top of it the updates come too late.
  [[nodiscard]] double momentum_under(const std::string& codec) const {
    return codec.starts_with("topk") ? sparse_momentum : momentum;
  }
};

/// One model, its optimiser and its gradient exchange: each codec under comparison trains its own, from the same start
/// on the same atoms. Calls are collective and blocking.
class Replica {
 public:
  Replica(Ranks& ranks, const TrainingSettings& settings, const std::string& codec);

  /// Writes this rank's gradients at some steps of the training to a file.
  void record(const std::string& path);
  /// Trains on this rank's `pool` of normalised samples. Returns the root mean square error over all ranks and steps,
  /// normalised. Ranks may have different numbers of atoms: see `share_of_batch` in the source.
  double train(int epoch, const Samples& pool);
  /// Root mean square error over the atoms of all ranks, normalised.
  double test(const Samples& samples);

  [[nodiscard]] const std::string& codec() const { return codec_; }
  [[nodiscard]] Method method() const { return method_; }
  [[nodiscard]] Traffic traffic() const;  ///< this rank's, before a restart included
  [[nodiscard]] double train_seconds() const { return train_seconds_; }
  [[nodiscard]] const Mlp& model() const { return model_; }
  [[nodiscard]] std::uint64_t weights_hash() const;  ///< FNV-1a of the parameters' bytes

  /// Passes everything that the next step depends on, and what the final table counts, into or out of a checkpoint.
  void archive(Archive& archive);

 private:
  [[nodiscard]] std::int64_t total_steps() const {
    return static_cast<std::int64_t>(settings_.epochs) * settings_.steps_per_epoch;
  }
  double step(const Samples& batch, double weight);
  /// A step by this rank's own gradients, and gossip.
  void step_and_gossip();

  Ranks& ranks_;
  TrainingSettings settings_;
  std::string codec_;
  Method method_;
  Mlp model_;
  Adam adam_;
  Mlp::Layers gradients_;
  GradientExchange exchange_;
  std::unique_ptr<GradientRecorder> recorder_;  ///< or none
  Traffic earlier_;                             ///< before the restart
  double train_seconds_ = 0;
};

}  // namespace surrogate
