#pragma once

#include <chrono>

namespace gossamer {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

inline double seconds_since(Clock::time_point start) noexcept {
  return Seconds(Clock::now() - start).count();
}

/// A point in time after which waiting is over.
class Deadline {
 public:
  static Deadline in(double seconds) noexcept {
    return Deadline(Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(seconds)));
  }
  [[nodiscard]] bool expired() const noexcept { return Clock::now() >= when_; }
  [[nodiscard]] double remaining_seconds() const noexcept { return Seconds(when_ - Clock::now()).count(); }

 private:
  explicit Deadline(Clock::time_point when) noexcept : when_(when) {}
  Clock::time_point when_;
};

}  // namespace gossamer
