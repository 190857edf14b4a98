#include <algorithm>

#include "compress/kernels.hpp"
#include "lib/base/error.hpp"
#include "lib/gossip/entries.hpp"
#include "lib/gossip/remembered.hpp"
#include "lib/gossip/weight_ledger.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kMessageBytes = 64 * 1024;
constexpr std::size_t kBlockBytes = 8 * 1024;  // mixed at a time: stays in the first-level cache

/// x_i <- Σ_j v_ij x_j in the tensor's own type; the values travel as they are. What the v_ij are is known when the
/// notes have come.
class Mean : public Mixer, public Inspector {
 public:
  explicit Mean(const Shape& shape) : dtype_(shape.dtype), bytes_(shape.bytes()) {}

  [[nodiscard]] std::size_t messages() const noexcept final {
    return std::max<std::size_t>(1, (bytes_ + kMessageBytes - 1) / kMessageBytes);
  }
  [[nodiscard]] std::size_t capacity() const noexcept final { return std::min(bytes_, kMessageBytes); }

  void begin(const GossipRound& round) final {
    around_ = &round.around;
    values_ = {round.data.data, bytes_};
    applied_ = false;
    lost_.assign(round.around.in.size(), 0);
  }
  Bytes give(std::size_t message, MutableBytes) final { return part_of(message); }
  void hear(std::span<const Note> notes, bool applied) final {
    applied_ = applied;
    finite_ = true;
    if (!applied) return;
    weigh(*around_, notes);
    for (std::size_t j = 0; j < lost_.size(); ++j) {
      if (lost_[j] != 0) keep_part_of(j);
    }
  }
  void lose(std::size_t neighbour) final {
    lost_[neighbour] = 1;
    if (applied_) keep_part_of(neighbour);
  }
  void take(std::size_t message, std::span<const Bytes> arrived) final {
    if (!applied_) return;
    const MutableBytes part = part_of(message);
    for (std::size_t j = 0; j < arrived.size(); ++j) {
      if (lost_[j] != 0 || arrived[j].size() == part.size()) continue;
      fail(Status::corrupt, "a message of ", part.size(), " bytes arrived from rank ", around_->in[j].rank, " as ",
           arrived[j].size());
    }
    for (std::size_t at = 0; at < part.size(); at += kBlockBytes) {
      const std::size_t bytes = std::min(kBlockBytes, part.size() - at);
      const MutableBytes block = part.subspan(at, bytes);
      kernels::rescale(dtype_, block, self_weight_);
      for (std::size_t j = 0; j < arrived.size(); ++j) {
        if (lost_[j] == 0) kernels::add_scaled(dtype_, block, arrived[j].subspan(at, bytes), weights_[j]);
      }
      finite_ = finite_ && kernels::all_finite(dtype_, block);
    }
  }
  void end() final {}
  [[nodiscard]] bool result_finite() const noexcept final { return finite_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept final { return 0; }

 protected:
  /// Puts what the neighbours' values and this rank's own are multiplied by into weights_ and self_weight_.
  virtual void weigh(const Neighbourhood& around, std::span<const Note> notes) = 0;

  std::vector<double> weights_;  ///< by in-neighbour
  double self_weight_ = 1;

 private:
  void keep_part_of(std::size_t neighbour) noexcept {
    self_weight_ += weights_[neighbour];
    weights_[neighbour] = 0;
  }
  [[nodiscard]] MutableBytes part_of(std::size_t message) const noexcept {
    const std::size_t start = message * kMessageBytes;
    return values_.subspan(start, std::min(kMessageBytes, bytes_ - start));
  }

  DType dtype_;
  std::size_t bytes_;
  MutableBytes values_;
  const Neighbourhood* around_ = nullptr;
  bool applied_ = false;
  bool finite_ = true;
  std::vector<char> lost_;  ///< by in-neighbour
};

/// D-PSGD (Lian, Zhang, Zhang, Hsieh, Zhang, Liu, "Can decentralized algorithms outperform centralized algorithms?",
/// NeurIPS 2017): v_ij = w_ij.
class Average final : public Mean {
 public:
  using Mean::Mean;

  void tell(Note&) const override {}
  [[nodiscard]] std::vector<std::span<float>> state() override { return {}; }

 private:
  void weigh(const Neighbourhood& around, std::span<const Note>) override {
    weights_.clear();
    for (const Edge& edge : around.in) weights_.push_back(edge.weight);
    self_weight_ = around.self_weight;
  }
};

/// Push-sum (Kempe, Dobra, Gehrke, FOCS 2003), as stochastic gradient push (Assran, Loizou, Ballas, Rabbat, "Stochastic
/// gradient push for distributed deep learning", ICML 2019): masses y_i and weights w_i are both summed with the
/// columns of a column-stochastic matrix, and a model is y_i / w_i. Models travel, weights with them: v_ij = a_ij w_j /
/// w_i'.
class PushSum final : public Mean, public Weighted {
 public:
  explicit PushSum(const Shape& shape) : Mean(shape), memory_(Remembered<double>::kFloats), weight_(memory_) {
    weight_.set(1);
  }

  void tell(Note& note) const override { note.weight = weight_.get(); }
  [[nodiscard]] double weight() const noexcept override { return weight_.get(); }
  [[nodiscard]] double given_to(int rank) const noexcept override { return ledger_.given_to(rank); }
  [[nodiscard]] std::vector<std::span<float>> state() override { return {memory_}; }

 private:
  void weigh(const Neighbourhood& around, std::span<const Note> notes) override {
    weights_.clear();
    for (const Edge& edge : around.out) ledger_.gave(edge.rank, edge.weight * weight_.get());
    self_weight_ = around.self_weight * weight_.get();
    double sum = self_weight_;
    for (std::size_t j = 0; j < notes.size(); ++j) {
      weights_.push_back(around.in[j].weight * notes[j].weight);
      ledger_.got(around.in[j].rank, weights_.back());
      sum += weights_.back();
    }
    for (double& weight : weights_) weight /= sum;
    self_weight_ /= sum;
    weight_.set(sum);
  }

  std::vector<float> memory_;
  Remembered<double> weight_;
  WeightLedger ledger_;
};

}  // namespace

MixingEntry average_mixing() noexcept {
  return {.name = "average",
          .summary = "weighted mean with the neighbours, uncompressed (D-PSGD)",
          .needs = Stochastic::both,
          .fixed_graph = false,
          .compresses = false,
          .in_own_type = true,
          .survives = true,
          .keys = {},
          .make = [](const Options&, const MixingSetup& setup) -> std::unique_ptr<Mixer> {
            return std::make_unique<Average>(setup.shape);
          }};
}

MixingEntry push_sum_mixing() noexcept {
  return {.name = "push-sum",
          .summary = "the same with weights that travel along: the mean on directed graphs, uncompressed (SGP)",
          .needs = Stochastic::columns,
          .fixed_graph = false,
          .compresses = false,
          .in_own_type = true,
          .survives = true,
          .keys = {},
          .make = [](const Options&, const MixingSetup& setup) -> std::unique_ptr<Mixer> {
            return std::make_unique<PushSum>(setup.shape);
          }};
}

}  // namespace gossamer
