#include "lib/net/dialer.hpp"

#include <algorithm>
#include <cerrno>

namespace gossamer {

std::optional<FrameStream> Dialer::step() {
  constexpr double apart_seconds = 0.25;
  for (std::size_t i = 0; i < attempts_.size();) {
    const Progress progress = advance(attempts_[i]);
    if (progress == Progress::answered) return std::move(attempts_[i].stream);
    if (progress == Progress::over) {
      attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  while (begun_ < candidates_.size() && (attempts_.empty() || seconds_since(last_begun_) > apart_seconds)) begin_next();
  return std::nullopt;
}

void Dialer::begin_next() {
  const SocketAddress& candidate = candidates_[begun_++];
  last_begun_ = Clock::now();
  if (Fd socket = start_connect(candidate); socket.valid()) {
    attempts_.push_back({FrameStream(std::move(socket), answer_.payload.size()), candidate.text()});
  } else {
    failures_.push_back(candidate.text() + ": " + errno_text(errno));
  }
}

Dialer::Progress Dialer::advance(Attempt& attempt) {
  const auto over = [&](const std::string& why) {
    failures_.push_back(attempt.address + ": " + why);
    return Progress::over;
  };
  if (!attempt.connected) {
    const int result = connect_result(attempt.stream.socket());
    if (result == EINPROGRESS) return Progress::none;
    if (result != 0) return over(errno_text(result));
    attempt.connected = true;
    attempt.stream.send(greeting_.kind, greeting_.payload);
  }
  try {
    const std::optional<Frame> frame = attempt.stream.next();
    if (frame && frame->kind == answer_.kind && frame->payload == answer_.payload) return Progress::answered;
    if (frame) return over("somebody else answers there");
  } catch (const Error&) {
    return over("somebody else answers there");
  }
  if (attempt.stream.ended()) return over("turned away");
  return Progress::none;
}

std::string Dialer::report() const {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  for (const std::string& failure : failures_) add(failure);
  for (const Attempt& attempt : attempts_) add(attempt.address + ": no answer");
  return text.empty() ? "no address" : text;
}

void Dialer::add_to(std::vector<pollfd>& ready) const {
  for (const Attempt& attempt : attempts_) {
    ready.push_back({attempt.stream.fd(), static_cast<short>(attempt.connected ? POLLIN : POLLOUT), 0});
  }
}

}  // namespace gossamer
