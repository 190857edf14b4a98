#include <algorithm>
#include <array>
#include <numeric>

#include "lib/gossip/compressing_mixer.hpp"
#include "lib/gossip/entries.hpp"
#include "lib/gossip/step_size.hpp"
#include "lib/gossip/weight_ledger.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"gamma", "auto", "consensus step size in (0, 1], or auto: measured in the first round, halved on divergence"},
};

/// CHOCO (Koloskova, Stich, Jaggi, "Decentralized stochastic optimization and gossip algorithms with compressed
/// communication", ICML 2019): everybody knows an estimate x̂_j of its neighbours' models, which all of them move by the
/// same q_j = Q(x_j − x̂_j). Then x_i <- x_i + γ Σ_j w_ij (x̂_j − x̂_i). Of the estimates a rank keeps its own and
/// s_i = Σ_j w_ij x̂_j, itself included: two vectors, whatever the degree.
///
/// If neighbours may die, a rank keeps each one's estimate as well, so that it can take it out of s_i again.
///
/// On directed graphs (Taheri, Mokhtari, Hassani, Pedarsani, "Quantized decentralized stochastic learning over directed
/// graphs", ICML 2020) x is a mass, and the model is x / w, with a weight w that is mixed in the same way,
/// uncompressed.
class Choco : public CompressingMixer, public Negotiator {
 public:
  Choco(const Options& options, const MixingSetup& setup)
      : CompressingMixer(setup, Says::scaled_codes),
        estimate_(remember(setup.shape.count())),
        mixed_(remember(setup.shape.count())),
        step_(options, "gamma", StepSize::flood_of(setup.topology), remember(StepSize::kFloats)) {
    if (!setup.survives) return;
    const Neighbourhood around = setup.topology.at(setup.rank, 0);
    for (const Edge& edge : around.in) {
      parts_.emplace_back(edge.rank, remember(setup.shape.count()), remember(Remembered<double>::kFloats));
    }
    parts_.emplace_back(setup.rank, estimate_, remember(Remembered<double>::kFloats));
  }

  void tell(Note& note) const override { step_.tell(note); }
  void hear(std::span<const Note> notes, bool applied) override {
    CompressingMixer::hear(notes, applied);
    step_.hear(notes);
  }
  void lose(std::size_t neighbour) override {
    CompressingMixer::lose(neighbour);
    const Edge& from = round().around.in[neighbour];
    count(part_of(from.rank), 0);
    if (inherits()) count(parts_.back(), parts_.back().weight.get() + from.weight);
  }
  void end() override {
    const float gamma = applied() ? step_.value() : 0;
    double disagreement = 0;
    double model = 0;
    const std::span<float> x = values();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float difference = mixed_[i] - estimate_[i];
      disagreement += static_cast<double>(difference) * static_cast<double>(difference);
      model += static_cast<double>(estimate_[i]) * static_cast<double>(estimate_[i]);
      if (applied()) x[i] = moved(x[i], gamma * difference);
    }
    step_.watch(disagreement, model, x);
  }

  [[nodiscard]] std::optional<float> proposal() override { return step_.proposal(); }
  void settle(std::span<const float> proposals) override { step_.settle(proposals); }
  [[nodiscard]] std::string describe() const override { return step_.describe(); }

 protected:
  /// The mass behind a model's value, and the value after the mass has moved.
  [[nodiscard]] virtual float mass(float value) const noexcept { return value; }
  [[nodiscard]] virtual float moved(float value, float by) const noexcept { return value + by; }
  [[nodiscard]] float gamma() const noexcept { return step_.value(); }
  /// Whether a neighbour that dies in a round leaves its weight to this rank.
  [[nodiscard]] virtual bool inherits() const noexcept { return true; }

 private:
  /// An estimate and the weight with which it counts in s_i.
  struct Part {
    int rank;
    std::span<float> estimate;
    Remembered<double> weight;

    Part(int whose, std::span<float> values, std::span<float> place) noexcept
        : rank(whose), estimate(values), weight(place) {}
  };
  Part& part_of(int rank) noexcept { return *std::ranges::find(parts_, rank, &Part::rank); }
  /// From now on the estimate counts with this weight.
  void count(Part& part, double weight) noexcept {
    const auto more = static_cast<float>(weight - part.weight.get());
    part.weight.set(weight);
    if (more == 0) return;
    for (std::size_t i = 0; i < mixed_.size(); ++i) mixed_[i] += more * part.estimate[i];
  }
  /// Who died since the round before is in the neighbourhood no more.
  void prepare() override {
    if (parts_.empty()) return;
    const Neighbourhood& around = round().around;
    for (Part& part : std::span(parts_).first(parts_.size() - 1)) {
      const auto edge = std::ranges::find(around.in, part.rank, &Edge::rank);
      count(part, edge == around.in.end() ? 0 : edge->weight);
    }
    count(parts_.back(), around.self_weight);
  }
  void compose() override {
    const std::span<const float> x = values();
    step_.arrive(x);
    for (std::size_t i = 0; i < x.size(); ++i) vector()[i] = mass(x[i]) - estimate_[i];
  }
  void said(const Said& own) override {
    own.add(1, estimate_);
    own.add(parts_.empty() ? round().around.self_weight : parts_.back().weight.get(), mixed_);
  }
  void heard(const Edge& from, const Said& theirs) override {
    theirs.add(from.weight, mixed_);
    if (!parts_.empty()) theirs.add(1, part_of(from.rank).estimate);
  }
  void measured(double input, double explained) override { step_.measure(input, explained); }

  std::span<float> estimate_;
  std::span<float> mixed_;
  StepSize step_;
  std::vector<Part> parts_;  // of s_i, if neighbours may die: by in-neighbour, and this rank's own
};

class ChocoPushSum final : public Choco, public Weighted {
 public:
  ChocoPushSum(const Options& options, const MixingSetup& setup)
      : Choco(options, setup), weight_(remember(Remembered<double>::kFloats)) {
    weight_.set(1);
  }

  void tell(Note& note) const override {
    Choco::tell(note);
    note.weight = weight_.get();
  }
  void hear(std::span<const Note> notes, bool applied) override {
    Choco::hear(notes, applied);
    heard_.clear();
    for (std::size_t j = 0; j < notes.size(); ++j) heard_.push_back(round().around.in[j].weight * notes[j].weight);
  }
  void lose(std::size_t neighbour) override {
    Choco::lose(neighbour);
    if (neighbour < heard_.size()) heard_[neighbour] = 0;
  }
  void end() override {
    const auto step = static_cast<double>(gamma());
    const Neighbourhood& around = round().around;
    old_ = weight_.get();
    new_ = old_ + step * (std::accumulate(heard_.begin(), heard_.end(), around.self_weight * old_) - old_);
    Choco::end();
    if (!applied()) return;
    weight_.set(new_);
    for (const Edge& edge : around.out) ledger_.gave(edge.rank, step * edge.weight * old_);
    for (std::size_t j = 0; j < heard_.size(); ++j) ledger_.got(around.in[j].rank, step * heard_[j]);
  }
  [[nodiscard]] double weight() const noexcept override { return weight_.get(); }
  [[nodiscard]] double given_to(int rank) const noexcept override { return ledger_.given_to(rank); }

 private:
  [[nodiscard]] bool inherits() const noexcept override { return false; }
  [[nodiscard]] float mass(float value) const noexcept override {
    return static_cast<float>(static_cast<double>(value) * weight_.get());
  }
  [[nodiscard]] float moved(float value, float by) const noexcept override {
    return static_cast<float>((static_cast<double>(value) * old_ + static_cast<double>(by)) / new_);
  }

  Remembered<double> weight_;
  std::vector<double> heard_;  // weights in this round, by in-neighbour, each times its edge's
  WeightLedger ledger_;
  double old_ = 1;
  double new_ = 1;
};

}  // namespace

MixingEntry choco_mixing() noexcept {
  return {.name = "choco",
          .summary = "estimates of the neighbours' models, moved by compressed differences: any codec (CHOCO-SGD)",
          .needs = Stochastic::both,
          .fixed_graph = true,
          .compresses = true,
          .in_own_type = false,
          .survives = true,
          .keys = kKeys,
          .make = [](const Options& options, const MixingSetup& setup) -> std::unique_ptr<Mixer> {
            return std::make_unique<Choco>(options, setup);
          }};
}

MixingEntry choco_push_sum_mixing() noexcept {
  return {.name = "choco-push-sum",
          .summary = "the same with weights that travel along: any codec on directed graphs",
          .needs = Stochastic::columns,
          .fixed_graph = true,
          .compresses = true,
          .in_own_type = false,
          .survives = true,
          .keys = kKeys,
          .make = [](const Options& options, const MixingSetup& setup) -> std::unique_ptr<Mixer> {
            return std::make_unique<ChocoPushSum>(options, setup);
          }};
}

}  // namespace gossamer
