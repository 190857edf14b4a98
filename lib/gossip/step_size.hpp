#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/spec.hpp"
#include "lib/gossip/length_sketch.hpp"
#include "lib/gossip/mixer.hpp"
#include "lib/gossip/remembered.hpp"

namespace gossamer {

/// The consensus step size γ of compressed gossip, the same on all ranks, which keeps the mean where it is.
///
/// A number, or `auto`: half of the smallest contraction δ = 1 − ‖x − Q(x)‖²/‖x‖² that any rank measures in the first
/// round, all of it where nothing is lost. The bounds of theory are smaller by orders of magnitude. So there is a
/// guard: rounds go in windows long enough for news to reach everybody; a rank whose disagreement has grown during one
/// tells its neighbours in the next, they tell theirs, and at its end all halve γ. What callers add to their models
/// between rounds moves them apart, too, and is no reason to halve: a sketch of the model tells how much that is.
class StepSize {
 public:
  struct Memory {
    float gamma = 0;  ///< 0: not agreed on yet
    float halvings = 0;
    double start = 0;         ///< this rank's disagreement when the window began, squared
    std::uint32_t round = 0;  ///< of the window
    std::uint32_t grew = 0;   ///< somebody's grew in the window before
    double input = 0;         ///< squared norms of the window: of what was compressed,
    double explained = 0;     ///< of what came out,
    double drift = 0;         ///< and of what the caller has added to the model
    LengthSketch model;       ///< at the end of the last round
  };
  static constexpr std::size_t kFloats = Remembered<Memory>::kFloats;

  /// The option `key` is "auto" or a number in (0, 1]. `flood`: rounds in which news reaches everybody. `place`:
  /// kFloats floats that stay.
  StepSize(const Options& options, std::string_view key, std::uint64_t flood, std::span<float> place);

  /// Rounds in which news has reached everybody, whichever is the first.
  static std::uint64_t flood_of(const Topology& topology) noexcept;

  [[nodiscard]] float value() const noexcept { return memory_.get().gamma; }
  /// For goss_comm_describe.
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] bool agreed() const noexcept { return value() > 0; }

  /// The model as the caller hands it in.
  void arrive(std::span<const float> model) noexcept;
  /// Adds to the round's squared norms: of what was compressed, and of what came out after the best scaling.
  void measure(double input, double explained) noexcept;
  /// See Negotiator. Nothing to measure: a rank whose input was zero leaves it to the others.
  [[nodiscard]] std::optional<float> proposal() const noexcept;
  void settle(std::span<const float> proposals) noexcept;

  void tell(Note& note) const noexcept;
  void hear(std::span<const Note> notes) noexcept;
  /// At the end of a round: squared norms of this rank's disagreement and of its model, and the model handed back.
  void watch(double disagreement, double squared, std::span<const float> model) noexcept;

 private:
  /// Whether the window that ends has shown that γ is too large.
  [[nodiscard]] bool too_long(const Memory& memory, double disagreement, double squared) const noexcept;

  float fixed_;  // 0: auto
  std::uint64_t window_;
  Remembered<Memory> memory_;
  double input_ = 0;
  double explained_ = 0;
};

}  // namespace gossamer
