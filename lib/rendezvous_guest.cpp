#include <algorithm>
#include <cerrno>
#include <optional>
#include <thread>

#include "lib/base/deadline.hpp"
#include "lib/net/frame_stream.hpp"
#include "lib/rendezvous.hpp"

namespace gossamer {
namespace {

namespace wire = rendezvous_wire;

class Guest final : public Bootstrap {
 public:
  Guest(const Meeting& meeting, const Log& log);
  [[nodiscard]] int rank() const noexcept override { return meeting_.rank; }
  [[nodiscard]] int size() const noexcept override { return meeting_.size; }
  std::vector<std::byte> allgather(Bytes mine) override;

 private:
  [[nodiscard]] std::string host_text() const { return sentence("rank 0 at ", meeting_.host, ":", meeting_.port); }
  Fd dial() const;
  std::vector<std::byte> await(wire::Kind kind, std::size_t bytes);

  Meeting meeting_;
  Log log_;
  std::optional<FrameStream> stream_;
};

/// Connects within `deadline`; invalid with errno set when it does not come to that.
Fd connect_to(const SocketAddress& address, const Deadline& deadline) {
  constexpr double patience_seconds = 3;  // for one address, lest one that swallows packets hides the next
  const Deadline give_up = Deadline::in(std::min(patience_seconds, deadline.remaining_seconds()));
  Fd socket = start_connect(address);
  if (!socket.valid()) return socket;
  for (;;) {
    const int result = connect_result(socket);
    if (result == 0) return socket;
    if (result != EINPROGRESS || give_up.expired()) {
      errno = result == EINPROGRESS ? ETIMEDOUT : result;
      return {};
    }
    pollfd writable{socket.get(), POLLOUT, 0};
    wait_for({&writable, 1}, give_up.remaining_seconds());
  }
}

Guest::Guest(const Meeting& meeting, const Log& log) : meeting_(meeting), log_(log) {
  stream_.emplace(dial(), wire::largest_failure);
  const wire::Hello hello{wire::version, meeting_.rank, meeting_.size};
  stream_->send(wire::hello, std::as_bytes(std::span(&hello, 1)));
  await(wire::welcome, 0);
}

// Rank 0 may start later, and its name may come up later: everything but a name that does not exist is tried again.
Fd Guest::dial() const {
  const Deadline deadline = Deadline::in(meeting_.timeout_seconds);
  std::string last = "no address";
  while (!deadline.expired()) {
    int resolve_error = 0;
    const std::vector<SocketAddress> addresses = resolve(meeting_.host, meeting_.port, resolve_error);
    if (resolve_error == EAI_NONAME) {
      fail(Status::system, "MASTER_ADDR=", meeting_.host, " is not a known host: ", gai_strerror(resolve_error));
    }
    if (resolve_error != 0) last = gai_strerror(resolve_error);
    for (const SocketAddress& address : addresses) {
      if (Fd socket = connect_to(address, deadline); socket.valid()) return socket;
      last = sentence(address.text(), ": ", errno_text(errno));
      log_.debug("connecting to ", host_text(), ": ", last);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  fail(Status::timeout, host_text(), " did not answer within ", meeting_.timeout_seconds, " s (last: ", last, ")");
}

std::vector<std::byte> Guest::allgather(Bytes mine) {
  stream_->send(wire::blob, mine);
  return await(wire::result, mine.size() * static_cast<std::size_t>(meeting_.size));
}

[[noreturn]] void throw_failure(Bytes payload) {
  ByteReader reader(payload);
  const auto status = reader.get<std::int32_t>();
  const Bytes text = reader.take(reader.remaining());
  const bool known = status > static_cast<int>(Status::ok) && status <= static_cast<int>(Status::internal);
  throw Error(known ? static_cast<Status>(status) : Status::internal,
              std::string(reinterpret_cast<const char*>(text.data()), text.size()));
}

std::vector<std::byte> Guest::await(wire::Kind kind, std::size_t bytes) {
  const double patience_seconds = meeting_.timeout_seconds + wire::grace_seconds;
  const Deadline deadline = Deadline::in(patience_seconds);
  stream_->accept_up_to(std::max(bytes, wire::largest_failure));
  for (;;) {
    if (std::optional<Frame> frame = stream_->next()) {
      if (frame->kind == wire::failure) throw_failure(frame->payload);
      if (frame->kind == kind && frame->payload.size() == bytes) return std::move(frame->payload);
      fail(Status::corrupt, host_text(), " sent a message that is not due; is it a rank of this job?");
    }
    if (stream_->ended()) {
      fail(Status::peer, host_text(), " closed the connection to rank ", meeting_.rank,
           "; it died, gave up, or had all its ranks already (a RANK given twice)");
    }
    if (deadline.expired()) fail(Status::timeout, host_text(), " did not answer within ", patience_seconds, " s");
    stream_->flush();
    pollfd ready{stream_->fd(), static_cast<short>(stream_->wants_write() ? POLLIN | POLLOUT : POLLIN), 0};
    wait_for({&ready, 1}, deadline.remaining_seconds());
  }
}

}  // namespace

std::unique_ptr<Bootstrap> guest_rendezvous(const Meeting& meeting, const Log& log) {
  return std::make_unique<Guest>(meeting, log);
}

}  // namespace gossamer
