#include <algorithm>

#include "lib/gossip/compressing_mixer.hpp"
#include "lib/gossip/entries.hpp"
#include "lib/gossip/remembered.hpp"

namespace gossamer {
namespace {

/// DCD- and ECD-PSGD (Tang, Gan, Zhang, Zhang, Liu, "Communication compression for decentralized training", NeurIPS
/// 2018): replicas of the neighbours' models, of which a rank keeps the sum s_i = Σ_j w_ij x̂_j, itself included. The
/// first round sends the models as they are.
class Replicas : public CompressingMixer {
 public:
  explicit Replicas(const MixingSetup& setup)
      : CompressingMixer(setup, Says::codes_or_values),
        known_(remember(setup.shape.count())),
        mixed_(remember(setup.shape.count())),
        rounds_(remember(Remembered<std::uint64_t>::kFloats)) {
    rounds_.set(0);
  }

  void tell(Note&) const final {}
  void end() final {
    if (rounds_.get() > 0) {
      finish();
    } else if (round().finite) {
      std::ranges::copy(values(), known_.begin());
    }
    rounds_.set(rounds_.get() + 1);
  }

 protected:
  /// In every round but the first: fills vector(), and gives values() what came out.
  virtual void differ() = 0;
  virtual void finish() = 0;
  /// In every round but the first: what of the replicas stays.
  virtual void fade() = 0;
  /// What is told is multiplied by this, in the replicas.
  [[nodiscard]] virtual double gain() const noexcept = 0;
  [[nodiscard]] double rounds() const noexcept { return static_cast<double>(rounds_.get()); }

  std::span<float> known_;
  std::span<float> mixed_;

 private:
  void prepare() final {
    send_exactly(rounds_.get() == 0);
    if (rounds_.get() > 0) fade();
  }
  void compose() final {
    if (rounds_.get() > 0) return differ();
    std::ranges::copy(values(), vector().begin());
  }
  void heard(const Edge& from, const Said& theirs) final { mix(from.weight, theirs); }
  void mix(double weight, const Said& theirs) { theirs.add(rounds_.get() > 0 ? weight * gain() : weight, mixed_); }
  void said(const Said& own) final {
    mix(round().around.self_weight, own);
    if (rounds_.get() > 0) told(own);
  }
  /// In every round but the first: what this rank has told.
  virtual void told(const Said& own) = 0;

  Remembered<std::uint64_t> rounds_;
};

/// Difference compression: a rank's model is its own replica, x_i <- x̂_i <- x̂_i + Q(Σ_j w_ij x̂_j + g_i − x̂_i) with g_i
/// what the caller has added to its model since. Diverges when the codec loses much.
class Dcd final : public Replicas {
 public:
  using Replicas::Replicas;

 private:
  void fade() override {}
  [[nodiscard]] double gain() const noexcept override { return 1; }
  void differ() override {
    const std::span<const float> x = values();
    for (std::size_t i = 0; i < x.size(); ++i) vector()[i] = mixed_[i] + (x[i] - known_[i]) - known_[i];
  }
  void told(const Said& own) override { own.add(1, known_); }
  void finish() override {
    if (applied()) std::ranges::copy(known_, values().begin());
  }
};

/// Extrapolation compression: x_i <- Σ_j w_ij x̂_j + g_i; with z = (1 − t/2) x_t + (t/2) x_{t+1} in round t, replicas
/// move to (1 − 2/t) x̂ + (2/t) Q(z). For unbiased codecs of bounded noise only.
class Ecd final : public Replicas {
 public:
  explicit Ecd(const MixingSetup& setup) : Replicas(setup), next_(setup.shape.count()) {}

 private:
  void fade() override {
    const auto stays = static_cast<float>(1 - 2 / rounds());
    // The model that comes of the replicas as they were.
    for (std::size_t i = 0; i < next_.size(); ++i) next_[i] = mixed_[i] - known_[i];
    for (float& value : mixed_) value *= stays;
  }
  [[nodiscard]] double gain() const noexcept override { return 2 / rounds(); }
  void differ() override {
    const std::span<const float> x = values();
    const auto ahead = static_cast<float>(rounds() / 2);
    for (std::size_t i = 0; i < x.size(); ++i) {
      next_[i] += x[i];
      vector()[i] = (1 - ahead) * known_[i] + ahead * next_[i];
    }
  }
  void told(const Said&) override {}
  void finish() override {
    if (!applied()) return;
    std::ranges::copy(next_, known_.begin());
    std::ranges::copy(next_, values().begin());
  }

  std::vector<float> next_;
};

template <typename Method>
MixingEntry entry(std::string_view name, std::string_view summary) noexcept {
  return {.name = name,
          .summary = summary,
          .needs = Stochastic::both,
          .fixed_graph = true,
          .compresses = true,
          .in_own_type = false,
          .keys = {},
          .make = [](const Options&, const MixingSetup& setup) -> std::unique_ptr<Mixer> {
            return std::make_unique<Method>(setup);
          }};
}

}  // namespace

MixingEntry dcd_mixing() noexcept {
  return entry<Dcd>("dcd",
                    "replicas of the neighbours' models, moved by compressed differences: mild codecs (DCD-PSGD)");
}

MixingEntry ecd_mixing() noexcept {
  return entry<Ecd>("ecd", "replicas that extrapolate: unbiased codecs of little noise (ECD-PSGD)");
}

}  // namespace gossamer
