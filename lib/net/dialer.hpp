#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/deadline.hpp"
#include "lib/net/frame_stream.hpp"

namespace gossamer {

/// Connects to whoever answers a greeting as expected, at one of several addresses. Addresses are tried a little apart,
/// and none is given up before it has failed: a busy listener may answer late, and one that was dropped in favour of
/// another would look like a death to it. Nothing blocks: call step() until it returns a stream or failed() is true.
class Dialer {
 public:
  /// `greeting` is sent on every connection; the first to answer with a frame equal to `answer` wins.
  Dialer(std::vector<SocketAddress> candidates, Frame greeting, Frame answer)
      : candidates_(std::move(candidates)), greeting_(std::move(greeting)), answer_(std::move(answer)) {}

  /// Moves on; the connection, once there is one.
  std::optional<FrameStream> step();
  /// True when every address has failed.
  [[nodiscard]] bool failed() const noexcept { return attempts_.empty() && begun_ == candidates_.size(); }
  /// What became of the addresses: "10.0.0.3:4242: Connection refused; [::1]:4242: no answer".
  [[nodiscard]] std::string report() const;
  /// Appends what to wait for, for poll().
  void add_to(std::vector<pollfd>& ready) const;

 private:
  struct Attempt {
    FrameStream stream;
    std::string address;
    bool connected = false;
  };
  enum class Progress { none, answered, over };

  void begin_next();
  Progress advance(Attempt& attempt);

  std::vector<SocketAddress> candidates_;
  Frame greeting_;
  Frame answer_;
  std::size_t begun_ = 0;  // candidates begun
  Clock::time_point last_begun_{};
  std::vector<Attempt> attempts_;
  std::vector<std::string> failures_;
};

}  // namespace gossamer
