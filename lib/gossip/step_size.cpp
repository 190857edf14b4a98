#include "lib/gossip/step_size.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

constexpr std::uint64_t kShortestWindow = 8;
constexpr float kLeastContraction = 1e-6F;
constexpr float kLossless = 0.999F;   // a contraction as good as none
constexpr double kGrowth = 2;         // of the disagreement within a window, beyond what callers have added
constexpr double kNoticeable = 1e-4;  // of the model's squared norm: below, it may as well be rounding

}  // namespace

StepSize::StepSize(const Options& options, std::string_view key, std::uint64_t flood, std::span<float> place)
    : fixed_(options.text(key) == "auto" ? 0.0F : static_cast<float>(options.real_above(key, 0, 1))),
      window_(std::max(kShortestWindow, flood)),
      memory_(place) {
  Memory fresh;
  fresh.gamma = fixed_;
  memory_.set(fresh);
}

/// A period brings news to one more rank at least, as the graph is connected; where it stays, a round does.
std::uint64_t StepSize::flood_of(const Topology& topology) noexcept {
  const auto others = static_cast<std::uint64_t>(topology.size() - 1);
  return topology.period() == 1 ? others + 1 : (others + 1) * topology.period();
}

std::string StepSize::describe() const {
  const Memory memory = memory_.get();
  if (!agreed()) return "step size not agreed on yet";
  return sentence("step size ", memory.gamma, ", halved ", memory.halvings, " times");
}

void StepSize::measure(double input, double explained) noexcept {
  input_ += input;
  explained_ += explained;
}

std::optional<float> StepSize::proposal() const noexcept {
  if (agreed()) return std::nullopt;
  if (!(input_ > 0)) return 0.0F;
  return std::max(static_cast<float>(std::min(explained_ / input_, 1.0)), kLeastContraction);
}

void StepSize::settle(std::span<const float> proposals) noexcept {
  float least = 2;
  for (const float each : proposals) {
    if (each > 0) least = std::min(least, each);
  }
  if (least > 1) return;  // all models are zero, and equal
  Memory memory = memory_.get();
  memory.gamma = least > kLossless ? 1.0F : least / 2;
  memory_.set(memory);
}

void StepSize::tell(Note& note) const noexcept {
  if (memory_.get().grew != 0) note.flags |= Note::grew;
}

void StepSize::hear(std::span<const Note> notes) noexcept {
  Memory memory = memory_.get();
  for (const Note& note : notes) {
    if ((note.flags & Note::grew) != 0) memory.grew = 1;
  }
  memory_.set(memory);
}

void StepSize::arrive(std::span<const float> model) noexcept {
  if (fixed_ > 0 || !agreed()) return;
  Memory memory = memory_.get();
  const double squared = memory.model.squared_distance(LengthSketch(model));
  if (!std::isfinite(squared)) return;
  memory.drift += squared;
  memory_.set(memory);
}

bool StepSize::too_long(const Memory& memory, double disagreement, double squared) const noexcept {
  const double start = std::sqrt(memory.start) + std::sqrt(static_cast<double>(window_) * memory.drift);
  const bool diverges = disagreement > kGrowth * kGrowth * start * start && disagreement > kNoticeable * squared;
  const bool unkept = memory.explained < std::min(memory.gamma, kLossless) * memory.input;
  // In the long run as much comes out as goes in. What callers put in does not depend on γ.
  return diverges || (unkept && memory.explained > kGrowth * memory.drift);
}

void StepSize::watch(double disagreement, double squared, std::span<const float> model) noexcept {
  const double input = std::exchange(input_, 0.0);
  const double explained = std::exchange(explained_, 0.0);
  if (fixed_ > 0) return;
  Memory memory = memory_.get();
  memory.model = LengthSketch(model);
  // A rank may have no neighbours in some rounds.
  if (memory.round < window_ / 2)
    memory.start = memory.round == 0 ? disagreement : std::max(memory.start, disagreement);
  // Differences that are rounding errors of the model say nothing of the codec.
  if (input > kNoticeable * squared) {
    memory.input += input;
    memory.explained += explained;
  }
  if (++memory.round == window_) {
    if (memory.grew != 0) {
      memory.gamma /= 2;
      memory.halvings += 1;
    }
    memory.grew = too_long(memory, disagreement, squared) ? 1 : 0;
    memory.round = 0;
    memory.input = 0;
    memory.explained = 0;
    memory.drift = 0;
  }
  memory_.set(memory);
}

}  // namespace gossamer
