#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.hpp"

namespace gossamer {

/// In the order of the configuration key `log=error|warn|info|debug`.
enum class LogLevel : int { error = 0, warn = 1, info = 2, debug = 3 };

/// Writes "gossamer[rank] level: text" lines, one write(2) per line, so lines of threads and ranks do not mix.
/// A value without shared state; any thread may use it. A line above the level costs one comparison: its parts are
/// joined only when it is printed.
class Log {
 public:
  explicit Log(int rank, LogLevel level = LogLevel::warn, int fd = 2) noexcept : rank_(rank), level_(level), fd_(fd) {}

  [[nodiscard]] bool on(LogLevel level) const noexcept { return level <= level_; }

  template <typename... Parts>
  void error(Parts&&... parts) const {
    line(LogLevel::error, std::forward<Parts>(parts)...);
  }
  template <typename... Parts>
  void warn(Parts&&... parts) const {
    line(LogLevel::warn, std::forward<Parts>(parts)...);
  }
  template <typename... Parts>
  void info(Parts&&... parts) const {
    line(LogLevel::info, std::forward<Parts>(parts)...);
  }
  template <typename... Parts>
  void debug(Parts&&... parts) const {
    line(LogLevel::debug, std::forward<Parts>(parts)...);
  }

 private:
  template <typename... Parts>
  void line(LogLevel level, Parts&&... parts) const {
    if (on(level)) write(level, sentence(std::forward<Parts>(parts)...));
  }
  void write(LogLevel level, std::string_view text) const;

  int rank_;
  LogLevel level_;
  int fd_;
};

}  // namespace gossamer
