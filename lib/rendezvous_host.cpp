#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <optional>
#include <utility>

#include "lib/base/deadline.hpp"
#include "lib/net/frame_stream.hpp"
#include "lib/rendezvous.hpp"

namespace gossamer {
namespace {

namespace wire = rendezvous_wire;

class Host final : public Bootstrap {
 public:
  Host(const Meeting& meeting, const Log& log);
  [[nodiscard]] int rank() const noexcept override { return 0; }
  [[nodiscard]] int size() const noexcept override { return meeting_.size; }
  std::vector<std::byte> allgather(Bytes mine) override;

 private:
  struct Guest {
    std::optional<FrameStream> stream;  // none until the rank has arrived
    std::string address;
  };

  void listen();
  void gather_guests();
  void accept_strangers();
  void greet_strangers();
  bool heard(FrameStream& stranger, std::optional<wire::Hello>& hello) const;
  void admit(FrameStream&& stranger, const wire::Hello& hello);
  void check_still_there();
  void wait_for_arrivals(double seconds) const;
  void collect(std::vector<std::byte>& all, std::size_t bytes);
  std::optional<std::vector<std::byte>> next_blob(int rank, std::size_t bytes);
  void distribute(Bytes all);
  [[noreturn]] void give_up(Status status, const std::string& why);

  [[nodiscard]] Guest& guest(int rank) { return guests_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] std::string name_of(int rank) { return sentence("rank ", rank, " (", guest(rank).address, ")"); }
  [[nodiscard]] std::string some_of(const std::vector<int>& ranks) const;

  Meeting meeting_;
  Log log_;
  Fd listener_;
  std::vector<FrameStream> strangers_;  // connected, not yet known as a rank
  std::vector<Guest> guests_;           // by rank; rank 0's stays empty
  int exchange_ = 0;
};

Host::Host(const Meeting& meeting, const Log& log)
    : meeting_(meeting), log_(log), guests_(static_cast<std::size_t>(meeting.size)) {
  listen();
  gather_guests();
  listener_.reset();
  strangers_.clear();
  for (Guest& guest : guests_) {
    if (guest.stream) guest.stream->send(wire::welcome, {});
  }
}

void Host::listen() {
  listener_ = listen_on(meeting_.port);
  if (listener_.valid()) return;
  const int error = errno;
  if (error == EADDRINUSE) {
    fail(Status::system, "port ", meeting_.port, " on ", host_name(), " is taken (", errno_text(error),
         "); set MASTER_PORT to a free one");
  }
  fail(Status::system, "rank 0 cannot listen on port ", meeting_.port, " of ", host_name(), ": ", errno_text(error));
}

void Host::gather_guests() {
  const Deadline deadline = Deadline::in(meeting_.timeout_seconds);
  for (;;) {
    accept_strangers();
    greet_strangers();
    check_still_there();
    std::vector<int> missing;
    for (int rank = 1; rank < meeting_.size; ++rank) {
      if (!guest(rank).stream) missing.push_back(rank);
    }
    if (missing.empty()) return;
    if (deadline.expired()) {
      give_up(Status::timeout, sentence(some_of(missing), " did not arrive at ", meeting_.host, ":", meeting_.port,
                                        " within ", meeting_.timeout_seconds, " s"));
    }
    wait_for_arrivals(deadline.remaining_seconds());
  }
}

void Host::wait_for_arrivals(double seconds) const {
  std::vector<pollfd> ready = {{listener_.get(), POLLIN, 0}};
  for (const FrameStream& stranger : strangers_) ready.push_back({stranger.fd(), POLLIN, 0});
  for (const Guest& guest : guests_) {
    if (guest.stream) ready.push_back({guest.stream->fd(), POLLRDHUP, 0});
  }
  wait_for(ready, seconds);
}

void Host::accept_strangers() {
  // More than this many say nothing only if somebody means harm or scans ports: the oldest makes room.
  const std::size_t most_strangers = 64 + guests_.size();
  for (Fd socket = accept_on(listener_); socket.valid(); socket = accept_on(listener_)) {
    if (strangers_.size() == most_strangers) strangers_.erase(strangers_.begin());
    strangers_.emplace_back(std::move(socket), sizeof(wire::Hello));
  }
}

void Host::greet_strangers() {
  for (auto place = strangers_.begin(); place != strangers_.end();) {
    std::optional<wire::Hello> hello;
    if (!heard(*place, hello)) {
      ++place;
      continue;
    }
    FrameStream stranger = std::move(*place);
    place = strangers_.erase(place);
    if (hello) admit(std::move(stranger), *hello);
  }
}

/// False while the stranger has not said enough. Else `hello` is what it said; none if it has left or is no rank.
bool Host::heard(FrameStream& stranger, std::optional<wire::Hello>& hello) const {
  try {
    const std::optional<Frame> frame = stranger.next();
    if (!frame) return stranger.ended();
    ByteReader reader(frame->payload);
    const auto said = reader.get<wire::Hello>();
    if (frame->kind == wire::hello && said.rank > 0 && said.rank < said.size) hello = said;
  } catch (const Error& error) {
    log_.debug(error.what());
  }
  if (!hello) {
    log_.warn("turned away ", peer_text(stranger.socket()), ", which is no Gossamer rank, from port ", meeting_.port);
  }
  return true;
}

void Host::admit(FrameStream&& stranger, const wire::Hello& hello) {
  const std::string address = peer_text(stranger.socket());
  const auto place = static_cast<std::size_t>(hello.rank);
  std::string refusal;
  Status status = Status::mismatch;
  if (hello.version != wire::version) {
    refusal = sentence("rank ", hello.rank, " (", address, ") and rank 0 run different versions of Gossamer");
  } else if (hello.size != meeting_.size) {
    refusal = sentence("rank ", hello.rank, " (", address, ") was started with WORLD_SIZE=", hello.size,
                       ", rank 0 with WORLD_SIZE=", meeting_.size);
  } else if (guests_[place].stream) {
    status = Status::argument;
    refusal = sentence("two processes say they are rank ", hello.rank, " of ", hello.size, ": ", guests_[place].address,
                       " and ", address, "; give every process its own RANK");
  } else {
    stranger.accept_up_to(wire::largest_blob);
    guests_[place] = {std::move(stranger), address};
    return;
  }
  guests_.push_back({std::move(stranger), address});  // so that it is told, too
  give_up(status, refusal);
}

void Host::check_still_there() {
  for (int rank = 1; rank < meeting_.size; ++rank) {
    if (!guest(rank).stream) continue;
    char byte = 0;
    const ssize_t seen = recv(guest(rank).stream->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    const bool silent = seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    if (seen > 0 || silent) continue;
    give_up(Status::peer, sentence(name_of(rank), " died or gave up before all ranks had arrived"));
  }
}

/// "ranks 2, 3 of 4", shortened when there are many.
std::string Host::some_of(const std::vector<int>& ranks) const {
  constexpr std::size_t most_named = 16;
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < std::min(ranks.size(), most_named); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(ranks[i]);
  }
  if (ranks.size() > most_named) text += sentence(" and ", ranks.size() - most_named, " more");
  return sentence(text, " of ", meeting_.size);
}

std::vector<std::byte> Host::allgather(Bytes mine) {
  ++exchange_;
  std::vector<std::byte> all(mine.size() * guests_.size());
  std::copy(mine.begin(), mine.end(), all.begin());
  collect(all, mine.size());
  distribute(all);
  return all;
}

void Host::collect(std::vector<std::byte>& all, std::size_t bytes) {
  const Deadline deadline = Deadline::in(meeting_.timeout_seconds);
  std::vector<int> missing(guests_.size() - 1);
  std::iota(missing.begin(), missing.end(), 1);
  const auto arrived = [&](int rank) {
    const std::optional<std::vector<std::byte>> blob = next_blob(rank, bytes);
    if (!blob) return false;
    std::copy(blob->begin(), blob->end(), all.begin() + static_cast<std::ptrdiff_t>(bytes) * rank);
    return true;
  };
  for (;;) {
    std::erase_if(missing, arrived);
    if (missing.empty()) return;
    if (deadline.expired()) {
      give_up(Status::timeout, sentence(some_of(missing), " did not take part in exchange ", exchange_,
                                        " of the bootstrap within ", meeting_.timeout_seconds, " s"));
    }
    std::vector<pollfd> ready;
    for (int rank : missing) ready.push_back({guest(rank).stream->fd(), POLLIN, 0});
    wait_for(ready, deadline.remaining_seconds());
  }
}

std::optional<std::vector<std::byte>> Host::next_blob(int rank, std::size_t bytes) {
  FrameStream& stream = *guest(rank).stream;
  std::optional<Frame> frame;
  try {
    frame = stream.next();
  } catch (const Error& error) {
    give_up(error.status(), sentence(name_of(rank), " confused the bootstrap: ", error.what()));
  }
  if (!frame && stream.ended()) {
    give_up(Status::peer, sentence(name_of(rank), " died or gave up before exchange ", exchange_, " of the bootstrap"));
  }
  if (!frame) return std::nullopt;
  if (frame->kind != wire::blob || frame->payload.size() != bytes) {
    give_up(Status::mismatch, sentence(name_of(rank), " brought ", frame->payload.size(), " bytes to exchange ",
                                       exchange_, " of the bootstrap, rank 0 ", bytes));
  }
  return std::move(frame->payload);
}

void Host::distribute(Bytes all) {
  const Deadline deadline = Deadline::in(meeting_.timeout_seconds);
  for (Guest& guest : guests_) {
    if (guest.stream) guest.stream->send(wire::result, all);
  }
  for (;;) {
    std::vector<pollfd> ready;
    std::vector<int> slow;
    for (int rank = 1; rank < meeting_.size; ++rank) {
      FrameStream& stream = *guest(rank).stream;
      stream.flush();
      if (!stream.wants_write()) continue;
      ready.push_back({stream.fd(), POLLOUT, 0});
      slow.push_back(rank);
    }
    if (slow.empty()) return;
    if (deadline.expired()) {
      give_up(Status::timeout, sentence(some_of(slow), " did not take the result of exchange ", exchange_,
                                        " of the bootstrap within ", meeting_.timeout_seconds, " s"));
    }
    wait_for(ready, deadline.remaining_seconds());
  }
}

std::vector<std::byte> failure_message(Status status, std::string_view why) {
  why = why.substr(0, wire::largest_failure - sizeof(std::int32_t));
  std::vector<std::byte> message(sizeof(std::int32_t) + why.size());
  ByteWriter writer(message);
  writer.put(static_cast<std::int32_t>(status));
  writer.put_bytes(std::as_bytes(std::span(why)));
  return message;
}

bool has_left(FrameStream& stream) {
  try {
    while (stream.next()) continue;
  } catch (const Error&) {
    return true;
  }
  return stream.ended();
}

/// Tells every guest, and for a moment whoever still comes, then throws the same.
void Host::give_up(Status status, const std::string& why) {
  const std::vector<std::byte> message = failure_message(status, why);
  std::vector<FrameStream> leaving;
  std::size_t told = 0;
  const auto tell = [&](FrameStream& stream) {
    stream.send(wire::failure, message);
    if (!stream.wants_write()) shutdown(stream.fd(), SHUT_WR);
    leaving.push_back(std::move(stream));
    ++told;
  };
  for (Guest& guest : guests_) {
    if (guest.stream) tell(*guest.stream);
  }
  // Closing a socket whose input is unread resets the connection and may destroy the message on its way: so read on
  // until the guests have closed, but not for long, as some may be busy elsewhere.
  const Deadline deadline = Deadline::in(wire::grace_seconds);
  while (!deadline.expired()) {
    if (listener_.valid()) accept_strangers();
    for (FrameStream& stranger : strangers_) tell(stranger);
    strangers_.clear();
    std::erase_if(leaving, has_left);
    if (leaving.empty() && (!listener_.valid() || told >= static_cast<std::size_t>(meeting_.size - 1))) break;
    std::vector<pollfd> ready = {{listener_.get(), POLLIN, 0}};
    for (const FrameStream& stream : leaving) ready.push_back({stream.fd(), POLLIN, 0});
    wait_for(ready, deadline.remaining_seconds());
  }
  throw Error(status, why);
}

}  // namespace

std::unique_ptr<Bootstrap> host_rendezvous(const Meeting& meeting, const Log& log) {
  return std::make_unique<Host>(meeting, log);
}

}  // namespace gossamer
