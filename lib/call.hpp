#pragma once

#include <string>
#include <string_view>

#include "lib/engine.hpp"
#include "lib/tag.hpp"
#include "lib/task.hpp"

namespace gossamer {

/// Where the time of calls went, in seconds.
struct TimeSplit {
  double total = 0;
  double encode = 0;
  double reduce = 0;
  double decode = 0;
};

/// Adds the time until its end to a total.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) noexcept : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += seconds_since(start_); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& seconds_;
  Clock::time_point start_;
};

/// Whose part a call cannot do without.
enum class Needs { everybody, neighbours };

/// What the coroutines of one call share: the first argument of each. Reused call after call.
class Call : public CoroutineHome, public Activity {
 public:
  Call(Engine& engine_of_call, std::string name) : engine(engine_of_call), name_(std::move(name)) {}

  /// Before each call.
  void begin(std::string_view operation, Tag call_tag, Needs needs = Needs::everybody) noexcept {
    operation_ = operation;
    needs_ = needs;
    tag = call_tag;
    traffic = {};
    time = {};
  }
  /// What the coroutine is about to wait for.
  void at(std::string_view phase, std::size_t step, std::size_t steps) noexcept {
    phase_ = phase;
    step_ = step;
    steps_ = steps;
  }
  [[nodiscard]] std::string describe() const override {
    return sentence(operation_, " of '", name_, "', ", phase_, " step ", step_ + 1, " of ", steps_);
  }
  [[nodiscard]] bool needs_everybody() const noexcept override { return needs_ == Needs::everybody; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  Engine& engine;
  Tag tag;
  Traffic traffic;
  TimeSplit time;

 private:
  std::string name_;
  std::string_view operation_ = "call";
  Needs needs_ = Needs::everybody;
  std::string_view phase_ = "start";
  std::size_t step_ = 0;
  std::size_t steps_ = 1;
};

}  // namespace gossamer
