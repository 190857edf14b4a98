#include <array>

#include "lib/gossip/compressing_mixer.hpp"
#include "lib/gossip/entries.hpp"
#include "lib/gossip/step_size.hpp"

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
/// On directed graphs (Taheri, Mokhtari, Hassani, Pedarsani, "Quantized decentralized stochastic learning over directed
/// graphs", ICML 2020) x is a mass, and the model is x / w, with a weight w that is mixed in the same way,
/// uncompressed.
class Choco : public CompressingMixer, public Negotiator {
 public:
  Choco(const Options& options, const MixingSetup& setup)
      : CompressingMixer(setup, Says::scaled_codes),
        estimate_(remember(setup.shape.count())),
        mixed_(remember(setup.shape.count())),
        step_(options, "gamma", StepSize::flood_of(setup.topology), remember(StepSize::kFloats)) {}

  void tell(Note& note) const override { step_.tell(note); }
  void hear(std::span<const Note> notes, bool applied) override {
    CompressingMixer::hear(notes, applied);
    step_.hear(notes);
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

 private:
  void compose() override {
    const std::span<const float> x = values();
    step_.arrive(x);
    for (std::size_t i = 0; i < x.size(); ++i) vector()[i] = mass(x[i]) - estimate_[i];
  }
  void said(const Said& own) override {
    own.add(1, estimate_);
    own.add(round().around.self_weight, mixed_);
  }
  void heard(double weight, const Said& theirs) override { theirs.add(weight, mixed_); }
  void measured(double input, double explained) override { step_.measure(input, explained); }

  std::span<float> estimate_;
  std::span<float> mixed_;
  StepSize step_;
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
    mixed_weight_ = round().around.self_weight * weight_.get();
    for (std::size_t j = 0; j < notes.size(); ++j) mixed_weight_ += round().around.in[j].weight * notes[j].weight;
  }
  void end() override {
    old_ = weight_.get();
    new_ = old_ + static_cast<double>(gamma()) * (mixed_weight_ - old_);
    Choco::end();
    if (applied()) weight_.set(new_);
  }
  [[nodiscard]] double weight() const noexcept override { return weight_.get(); }

 private:
  [[nodiscard]] float mass(float value) const noexcept override {
    return static_cast<float>(static_cast<double>(value) * weight_.get());
  }
  [[nodiscard]] float moved(float value, float by) const noexcept override {
    return static_cast<float>((static_cast<double>(value) * old_ + static_cast<double>(by)) / new_);
  }

  Remembered<double> weight_;
  double mixed_weight_ = 1;
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
          .keys = kKeys,
          .make = [](const Options& options, const MixingSetup& setup) -> std::unique_ptr<Mixer> {
            return std::make_unique<ChocoPushSum>(options, setup);
          }};
}

}  // namespace gossamer
