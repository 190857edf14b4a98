#include <algorithm>
#include <array>

#include "lib/gossip/compressing_mixer.hpp"
#include "lib/gossip/entries.hpp"
#include "lib/gossip/step_size.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"eta", "auto", "consensus step size in (0, 1], or auto: measured in the first round, halved on divergence"},
};

/// DeepSqueeze (Tang, Lian, Qiu, Yuan, Zhang, Zhang, Liu, "DeepSqueeze: decentralization meets error-compensated
/// compression", 2019): models are compressed themselves, with error feedback: v = x + e, c = Q(v), e <- v − c,
/// x_i <- x_i + η Σ_j w_ij (c_j − c_i).
class DeepSqueeze final : public CompressingMixer, public Negotiator {
 public:
  DeepSqueeze(const Options& options, const MixingSetup& setup)
      : CompressingMixer(setup, Says::scaled_codes),
        error_(remember(setup.shape.count())),
        step_(options, "eta", StepSize::flood_of(setup.topology), remember(StepSize::kFloats)),
        change_(setup.shape.count()) {}

  void tell(Note& note) const override { step_.tell(note); }
  void hear(std::span<const Note> notes, bool applied) override {
    CompressingMixer::hear(notes, applied);
    step_.hear(notes);
  }
  void end() override {
    double disagreement = 0;
    double model = 0;
    const std::span<float> x = values();
    const float eta = applied() ? step_.value() : 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      disagreement += static_cast<double>(change_[i]) * static_cast<double>(change_[i]);
      model += static_cast<double>(vector()[i]) * static_cast<double>(vector()[i]);
      if (applied()) x[i] += eta * change_[i];
    }
    step_.watch(disagreement, model, x);
  }
  [[nodiscard]] std::optional<float> proposal() override { return step_.proposal(); }
  void settle(std::span<const float> proposals) override { step_.settle(proposals); }
  [[nodiscard]] std::string describe() const override { return step_.describe(); }

 private:
  void prepare() override { std::ranges::fill(change_, 0.0F); }
  void compose() override {
    const std::span<const float> x = values();
    step_.arrive(x);
    for (std::size_t i = 0; i < x.size(); ++i) vector()[i] = x[i] + error_[i];
  }
  void said(const Said& own) override {
    std::ranges::copy(own.part(vector()), own.part(error_).begin());
    own.add(-1, error_);
    own.add(round().around.self_weight - 1, change_);
  }
  void heard(const Edge& from, const Said& theirs) override { theirs.add(from.weight, change_); }
  /// c_i, which is v − e, in the place of c_j.
  void missed(const Edge& from, std::size_t first, std::size_t count) override {
    const auto weight = static_cast<float>(from.weight);
    for (std::size_t i = first; i < first + count; ++i) change_[i] += weight * (vector()[i] - error_[i]);
  }
  void measured(double input, double explained) override { step_.measure(input, explained); }

  std::span<float> error_;
  StepSize step_;
  std::vector<float> change_;
};

}  // namespace

MixingEntry deepsqueeze_mixing() noexcept {
  return {.name = "deepsqueeze",
          .summary = "compressed models with error feedback: one vector of memory (DeepSqueeze)",
          .needs = Stochastic::both,
          .fixed_graph = false,
          .compresses = true,
          .in_own_type = false,
          .survives = true,
          .keys = kKeys,
          .make = [](const Options& options, const MixingSetup& setup) -> std::unique_ptr<Mixer> {
            return std::make_unique<DeepSqueeze>(options, setup);
          }};
}

}  // namespace gossamer
