#include "lib/net/frame_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace gossamer {
namespace {

constexpr std::array<unsigned char, 4> magic = {'G', 'S', 'M', '1'};

struct Header {
  std::array<unsigned char, 4> magic;
  std::uint32_t kind;
  std::uint32_t length;
};

}  // namespace

void FrameStream::disconnect() noexcept {
  socket_.reset();
  ended_ = true;
  out_.clear();
  sent_ = 0;
}

void FrameStream::send(std::uint32_t kind, Bytes payload) {
  if (payload.size() > std::numeric_limits<std::uint32_t>::max()) {
    fail(Status::internal, "a control message of ", payload.size(), " bytes does not fit a frame");
  }
  const Header header{magic, kind, static_cast<std::uint32_t>(payload.size())};
  const auto* begin = reinterpret_cast<const std::byte*>(&header);
  out_.insert(out_.end(), begin, begin + sizeof header);
  out_.insert(out_.end(), payload.begin(), payload.end());
  flush();
}

void FrameStream::flush() {
  while (wants_write()) {
    const ssize_t count = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      break;  // nobody will read this; next() finds what the other side said last, and that the stream has ended
    }
  }
  out_.clear();
  sent_ = 0;
}

std::optional<Frame> FrameStream::next() {
  for (;;) {
    if (std::optional<Frame> frame = take()) return frame;
    if (!fill()) return std::nullopt;
  }
}

std::optional<Frame> FrameStream::take() {
  const std::size_t have = in_.size() - read_;
  if (have == 0) return std::nullopt;
  // Looked at byte by byte, so that a stranger who sends three wrong bytes and waits is found out too.
  if (std::memcmp(in_.data() + read_, magic.data(), std::min(have, magic.size())) != 0) {
    fail(Status::corrupt, "bytes arrived that are no Gossamer message");
  }
  if (have < sizeof(Header)) return std::nullopt;
  Header header;
  std::memcpy(&header, in_.data() + read_, sizeof header);
  if (header.length > largest_) {
    fail(Status::corrupt, "a control message of ", header.length, " bytes arrived where at most ", largest_,
         " are due");
  }
  if (have - sizeof header < header.length) return std::nullopt;
  const auto begin = in_.begin() + static_cast<std::ptrdiff_t>(read_ + sizeof header);
  Frame frame{header.kind, {begin, begin + header.length}};
  read_ += sizeof header + header.length;
  if (read_ == in_.size()) {
    in_.clear();
    read_ = 0;
  }
  return frame;
}

bool FrameStream::fill() {
  constexpr std::size_t step = 64 * 1024;
  while (!ended_) {
    const std::size_t have = in_.size();
    in_.resize(have + step);
    const ssize_t count = recv(socket_.get(), in_.data() + have, step, MSG_DONTWAIT);
    const int error = errno;
    in_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count > 0) return true;
    if (count < 0 && (error == EAGAIN || error == EWOULDBLOCK)) return false;
    if (count < 0 && error == EINTR) continue;
    ended_ = true;
    end_reason_ = count < 0 ? error : 0;
  }
  return false;
}

}  // namespace gossamer
