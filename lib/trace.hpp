#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

#include "lib/base/deadline.hpp"
#include "lib/call.hpp"

namespace gossamer {

/// A timeline of calls in the Chrome trace format, one file per rank: open it in Perfetto or chrome://tracing.
class Trace {
 public:
  /// Writes to FILE.RANK.json. Throws `system` when it cannot be made.
  Trace(const std::string& file, int rank);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// One call, from `start` to now. Any thread.
  void call(const char* operation, const Call& call, Clock::time_point start);

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::mutex mutex_;
  std::unique_ptr<std::FILE, Close> file_;
  int rank_;
  bool first_ = true;
  Clock::time_point origin_ = Clock::now();
};

}  // namespace gossamer
