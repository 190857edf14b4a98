#include "lib/gossip/outer.hpp"

#include <algorithm>
#include <array>

namespace gossamer {
namespace {

using Rule = OuterOptimiser::Rule;

constexpr double kMostRate = 100;

constexpr std::array kSlowMoKeys = {
    Key{"alpha", "1", "rate of the outer step, above 0"},
    Key{"beta", "0.5", "slow momentum, 0 to 0.9999; less on few ranks"},
};
constexpr std::array kBmufKeys = {
    Key{"zeta", "1", "rate of a block, above 0"},
    Key{"eta", "auto", "block momentum, 0 to 0.9999; auto: 1 - 1/n"},
    Key{"nesterov", "off", "on: look ahead"},
};
constexpr std::array kNesterovKeys = {
    Key{"rate", "0.7", "of the outer step, above 0"},
    Key{"momentum", "0.9", "0 to 0.9999"},
};

double momentum(const Options& options, std::string_view key) {
  return options.real(key, 0, 0.9999);
}

Rule none(const Options&, int) {
  return {};
}

/// Wang, Tantia, Ballas, Rabbat, "SlowMo: improving communication-efficient distributed SGD with slow momentum", ICLR
/// 2020.
Rule slowmo(const Options& options, int) {
  return {static_cast<float>(options.real_above("alpha", 0, kMostRate)), static_cast<float>(momentum(options, "beta")),
          false};
}

/// Chen, Huo, "Scalable training of deep learning machines by incremental block training with intra-block parallel
/// optimization and blockwise model-update filtering", ICASSP 2016: D <- eta·D + zeta·G, which is u times −zeta.
Rule bmuf(const Options& options, int ranks) {
  const double eta = options.text("eta") == "auto" ? std::min(1 - 1.0 / ranks, 0.9999) : momentum(options, "eta");
  return {static_cast<float>(options.real_above("zeta", 0, kMostRate)), static_cast<float>(eta),
          options.flag("nesterov")};
}

/// Douillard et al., "DiLoCo: distributed low-communication training of language models", 2023.
Rule nesterov(const Options& options, int) {
  return {static_cast<float>(options.real_above("rate", 0, kMostRate)),
          static_cast<float>(momentum(options, "momentum")), true};
}

constexpr std::array kOuters = {
    OuterEntry{"none", "the exchange's result is the model", {}, none},
    OuterEntry{"slowmo", "slow momentum over exchanges (SlowMo)", kSlowMoKeys, slowmo},
    OuterEntry{"bmuf", "block momentum, by the number of ranks (BMUF)", kBmufKeys, bmuf},
    OuterEntry{"nesterov", "Nesterov's momentum over exchanges (DiLoCo)", kNesterovKeys, nesterov},
};

}  // namespace

std::span<const OuterEntry> outer_optimisers() noexcept {
  return kOuters;
}

void OuterOptimiser::step(std::span<float> model) noexcept {
  const std::span<float> start = std::span(memory_).first(count_);
  const std::span<float> u = std::span(memory_).subspan(count_, count_);
  float& begun = memory_.back();
  if (begun != 0) {
    for (std::size_t i = 0; i < count_; ++i) {
      const float descent = start[i] - model[i];
      u[i] = rule_.beta * u[i] + descent;
      model[i] = start[i] - rule_.alpha * (rule_.nesterov ? descent + rule_.beta * u[i] : u[i]);
    }
  }
  begun = 1;
  std::ranges::copy(model, start.begin());
}

std::unique_ptr<OuterOptimiser> make_outer(std::string_view text, std::size_t count, int ranks) {
  const Spec spec = Spec::parse(text);
  const auto entry = std::ranges::find(kOuters, spec.name, &OuterEntry::name);
  if (entry == kOuters.end()) {
    std::array<std::string_view, kOuters.size()> known;
    std::ranges::transform(kOuters, known.begin(), &OuterEntry::name);
    refuse_unknown("outer optimiser", spec.name, known);
  }
  const Rule rule = entry->rule(Options("outer " + spec.name, spec, entry->keys), ranks);
  if (entry->name == "none") return nullptr;
  return std::make_unique<OuterOptimiser>(rule, count);
}

}  // namespace gossamer
