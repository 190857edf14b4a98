#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/bytes.hpp"
#include "lib/net/socket.hpp"

namespace gossamer {

/// One message: what it is, in the vocabulary of whoever uses the stream, and its bytes.
struct Frame {
  std::uint32_t kind = 0;
  std::vector<std::byte> payload;
};

/// A connected non-blocking socket that carries frames (magic, kind, length, payload). Nothing blocks; a stream is used
/// by one thread at a time. The other side is not trusted: bytes that are no frame, or a frame longer than the limit,
/// throw `corrupt`, after which the stream is good for nothing.
class FrameStream {
 public:
  /// `largest` is the limit on a received frame's payload, in bytes.
  FrameStream(Fd socket, std::size_t largest) noexcept : socket_(std::move(socket)), largest_(largest) {}

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] const Fd& socket() const noexcept { return socket_; }
  void accept_up_to(std::size_t largest) noexcept { largest_ = largest; }

  /// Closes the connection; the stream has ended.
  void disconnect() noexcept;

  /// Queues a frame and sends what the socket takes; flush() sends the rest.
  void send(std::uint32_t kind, Bytes payload);
  void flush();
  [[nodiscard]] bool wants_write() const noexcept { return sent_ < out_.size(); }

  /// Reads what has come; the next whole frame, or nothing.
  std::optional<Frame> next();
  /// True when the other side has closed or reset the connection and next() has handed out every whole frame.
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  /// Why it ended, as an errno; 0 when the other side closed.
  [[nodiscard]] int end_reason() const noexcept { return end_reason_; }

 private:
  std::optional<Frame> take();
  bool fill();

  Fd socket_;
  std::size_t largest_;
  std::vector<std::byte> in_;
  std::size_t read_ = 0;  // bytes of in_ that take() has used
  std::vector<std::byte> out_;
  std::size_t sent_ = 0;  // bytes of out_ that the socket has taken
  bool ended_ = false;
  int end_reason_ = 0;
};

}  // namespace gossamer
