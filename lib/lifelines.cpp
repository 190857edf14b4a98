#include "lib/lifelines.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

#include "lib/net/dialer.hpp"

namespace gossamer {
namespace {

enum Kind : std::uint32_t { hello = 1, welcome = 2, news = 3, farewell_kind = 4, present_kind = 5 };

struct Hello {
  std::uint64_t token;  // of the one who listens
  std::int32_t rank;    // of the one who comes
  std::int32_t zero;
};

struct NewsHead {
  std::int32_t rank;
  std::int32_t status;
};

constexpr std::size_t largest_news = sizeof(NewsHead) + Lifelines::longest_sentence;

template <typename T>
std::vector<std::byte> bytes_of(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

void notice_vanished_host(int fd) {
  const auto set = [fd](int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 2);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set(IPPROTO_TCP, TCP_KEEPCNT, (Lifelines::vanished_seconds - 2) / 2);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, Lifelines::vanished_seconds * 1000);
}

std::vector<std::byte> encode(const Casualty& casualty) {
  const std::string_view text = std::string_view(casualty.sentence).substr(0, Lifelines::longest_sentence);
  std::vector<std::byte> bytes(sizeof(NewsHead) + text.size());
  ByteWriter writer(bytes);
  writer.put(NewsHead{casualty.rank, static_cast<std::int32_t>(casualty.status)});
  writer.put_bytes(std::as_bytes(std::span(text)));
  return bytes;
}

Casualty decode(Bytes payload, int size) {
  ByteReader reader(payload);
  const auto head = reader.get<NewsHead>();
  const bool known_status =
      head.status > static_cast<int>(Status::ok) && head.status <= static_cast<int>(Status::internal);
  if (head.rank < -1 || head.rank >= size || !known_status) {
    fail(Status::corrupt, "news of rank ", head.rank, " with status ", head.status);
  }
  const Bytes text = reader.take(reader.remaining());
  Casualty casualty{head.rank, static_cast<Status>(head.status),
                    std::string(reinterpret_cast<const char*>(text.data()), text.size())};
  std::replace_if(
      casualty.sentence.begin(), casualty.sentence.end(),
      [](char letter) { return static_cast<unsigned char>(letter) < ' '; }, ' ');
  return casualty;
}

}  // namespace

// ---- Meeting ------------------------------------------------------------

struct Lifelines::Meeting {
  Deadline deadline;
  double timeout_seconds;
  std::map<int, Contact> contacts;  // of neighbours that are not connected yet
  std::map<int, Dialer> dialers;    // to those of lower rank; those of higher rank come by themselves
  std::vector<FrameStream> strangers;
  std::string no_route;             // the first failure to reach a neighbour
  std::optional<Deadline> parting;  // when to give up because of it

  [[nodiscard]] std::string name_of(int rank) const {
    return sentence("rank ", rank, " (host ", contacts.at(rank).host, ")");
  }
};

Lifelines::Lifelines(int rank, std::string_view interface)
    : rank_(rank), listener_(listen_on(0)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!listener_.valid()) fail(Status::system, "cannot listen for lifelines: ", errno_text(errno));
  if (!epoll_.valid()) fail(Status::system, "cannot create an epoll descriptor: ", errno_text(errno));
  self_ = Contact::of_listener(local_port(listener_), interface);
}

void Lifelines::connect(std::span<const int> neighbours, std::span<const std::vector<std::byte>> addresses,
                        std::span<const char> same_host, double timeout_seconds) {
  size_ = static_cast<int>(addresses.size());
  Meeting meeting{Deadline::in(timeout_seconds), timeout_seconds, {}, {}, {}, {}, {}};
  for (const int rank : neighbours) {
    const auto place = static_cast<std::size_t>(rank);
    const Contact& contact = meeting.contacts.emplace(rank, Contact::from_blob(addresses[place])).first->second;
    if (rank > rank_) continue;
    meeting.dialers.emplace(
        rank, Dialer(contact.candidates(same_host[place] != 0), Frame{hello, bytes_of(Hello{contact.token, rank_, 0})},
                     Frame{welcome, bytes_of(self_.token)}));
  }
  try {
    meet(meeting);
  } catch (const Error& error) {
    // What was heard has been handed on by poll(); what happened here the others do not know yet.
    if (known_.empty()) announce({-1, error.status(), error.what()});
    throw;
  }
  listener_.reset();
}

void Lifelines::meet(Meeting& meeting) {
  while (!meeting.contacts.empty()) {
    answer_strangers(meeting);
    dial(meeting);
    if (const std::optional<Casualty> casualty = poll()) throw Error(casualty->status, casualty->sentence);
    if (meeting.parting && (meeting.contacts.empty() || meeting.parting->expired())) {
      fail(Status::system, meeting.no_route);
    }
    if (meeting.contacts.empty()) return;
    if (meeting.deadline.expired()) {
      const int rank = meeting.contacts.begin()->first;
      const auto dialer = meeting.dialers.find(rank);
      fail(Status::timeout, meeting.name_of(rank), " did not answer rank ", rank_, "'s lifeline within ",
           meeting.timeout_seconds, " s", dialer == meeting.dialers.end() ? "" : ": " + dialer->second.report());
    }
    std::vector<pollfd> ready = {{listener_.get(), POLLIN, 0}, {epoll_.get(), POLLIN, 0}};
    for (const FrameStream& stranger : meeting.strangers) ready.push_back({stranger.fd(), POLLIN, 0});
    for (const auto& [rank, dialer] : meeting.dialers) dialer.add_to(ready);
    constexpr double dialers_turn_seconds = 0.05;
    wait_for(ready, std::min(meeting.deadline.remaining_seconds(), dialers_turn_seconds));
  }
}

void Lifelines::answer_strangers(Meeting& meeting) {
  constexpr std::size_t most_strangers = 1024;  // beyond all neighbours that may come at once, so somebody means harm
  for (Fd socket = accept_on(listener_); socket.valid(); socket = accept_on(listener_)) {
    if (meeting.strangers.size() == most_strangers) meeting.strangers.erase(meeting.strangers.begin());
    meeting.strangers.emplace_back(std::move(socket), sizeof(Hello));
  }
  for (std::size_t i = 0; i < meeting.strangers.size();) {
    std::optional<Frame> frame;
    bool over = false;
    try {
      frame = meeting.strangers[i].next();
      over = frame.has_value() || meeting.strangers[i].ended();
    } catch (const Error&) {
      over = true;  // whoever that was, it is no neighbour of ours
    }
    if (!over) {
      ++i;
      continue;
    }
    FrameStream stranger = std::move(meeting.strangers[i]);
    meeting.strangers.erase(meeting.strangers.begin() + static_cast<std::ptrdiff_t>(i));
    if (!frame || frame->kind != hello || frame->payload.size() != sizeof(Hello)) continue;
    const auto said = ByteReader(frame->payload).get<Hello>();
    const auto contact = meeting.contacts.find(said.rank);
    if (said.token != self_.token || said.rank <= rank_ || contact == meeting.contacts.end()) continue;
    stranger.send(welcome, bytes_of(contact->second.token));
    add(said.rank, contact->second, std::move(stranger));
    meeting.contacts.erase(contact);
  }
}

void Lifelines::dial(Meeting& meeting) {
  for (auto place = meeting.dialers.begin(); place != meeting.dialers.end();) {
    auto& [rank, dialer] = *place;
    if (std::optional<FrameStream> stream = dialer.step()) {
      add(rank, meeting.contacts.at(rank), std::move(*stream));
      meeting.contacts.erase(rank);
      place = meeting.dialers.erase(place);
    } else if (dialer.failed()) {
      // The others should hear of it: meet those that come soon.
      constexpr double others_seconds = 1;
      if (!meeting.parting) {
        meeting.parting = Deadline::in(others_seconds);
        meeting.no_route = sentence("no route from rank ", rank_, " to ", meeting.name_of(rank), ": ", dialer.report());
      }
      meeting.contacts.erase(rank);
      place = meeting.dialers.erase(place);
    } else {
      ++place;
    }
  }
}

void Lifelines::add(int rank, const Contact& contact, FrameStream stream) {
  stream.accept_up_to(largest_news);
  notice_vanished_host(stream.fd());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = neighbours_.size();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stream.fd(), &event) != 0) {
    fail(Status::system, "cannot watch the lifeline to rank ", rank, ": ", errno_text(errno));
  }
  neighbours_.push_back({rank, contact.host, std::move(stream)});
  serve(neighbours_.back());  // it may have said more than hello already, which epoll does not see
}

// ---- News ------------------------------------------------------------

std::optional<Casualty> Lifelines::poll() {
  std::array<epoll_event, 16> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) serve(neighbours_[events[static_cast<std::size_t>(i)].data.u64]);
  if (news_.empty()) return std::nullopt;
  Casualty casualty = std::move(news_.front());
  news_.pop_front();
  return casualty;
}

void Lifelines::serve(Neighbour& neighbour) {
  if (neighbour.closed) return;
  neighbour.stream.flush();
  try {
    take_frames(neighbour);
  } catch (const Error& error) {
    close(neighbour);
    hear({neighbour.rank, Status::corrupt,
          sentence(neighbour.name(), " sent bytes on its lifeline that are no news: ", error.what())},
         &neighbour);
    return;
  }
  if (!neighbour.stream.ended()) {
    watch(neighbour);
    return;
  }
  const int reason = neighbour.stream.end_reason();
  close(neighbour);
  if (neighbour.said_farewell) return;
  const bool reset = reason == 0 || reason == ECONNRESET || reason == EPIPE;
  hear({neighbour.rank, Status::peer,
        sentence(neighbour.name(), reset ? " died: its connection closed" : " is lost: " + errno_text(reason))},
       &neighbour);
}

void Lifelines::take_frames(Neighbour& neighbour) {
  while (const std::optional<Frame> frame = neighbour.stream.next()) {
    if (frame->kind == news) {
      hear(decode(frame->payload, size_), &neighbour);
    } else if (frame->kind == farewell_kind) {
      neighbour.said_farewell = true;
    } else if (frame->kind == present_kind) {
      present_.insert(neighbour.rank);
    } else {
      fail(Status::corrupt, "a message of kind ", frame->kind);
    }
  }
}

/// Every rank hands a piece of news on once, so that it reaches everybody and then dies down.
void Lifelines::hear(const Casualty& casualty, const Neighbour* from) {
  if (!known_.insert(casualty.rank).second) return;
  news_.push_back(casualty);
  const std::vector<std::byte> message = encode(casualty);
  for (Neighbour& neighbour : neighbours_) {
    if (&neighbour != from) send(neighbour, news, message);
  }
}

void Lifelines::announce(const Casualty& casualty) {
  if (!known_.insert(casualty.rank).second) return;
  const std::vector<std::byte> message = encode(casualty);
  for (Neighbour& neighbour : neighbours_) send(neighbour, news, message);
}

void Lifelines::attend() {
  if (!present_.insert(rank_).second) return;
  for (Neighbour& neighbour : neighbours_) send(neighbour, present_kind, {});
}

void Lifelines::send(Neighbour& neighbour, std::uint32_t kind, Bytes payload) {
  if (neighbour.closed || neighbour.said_farewell) return;
  neighbour.stream.send(kind, payload);
  watch(neighbour);
}

/// Has epoll tell when the socket takes more, as long as there is more.
void Lifelines::watch(Neighbour& neighbour) {
  if (neighbour.stream.wants_write() == neighbour.watched_for_write) return;
  neighbour.watched_for_write = neighbour.stream.wants_write();
  epoll_event event{};
  event.events = neighbour.watched_for_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = static_cast<std::uint64_t>(&neighbour - neighbours_.data());
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, neighbour.stream.fd(), &event);
}

void Lifelines::close(Neighbour& neighbour) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, neighbour.stream.fd(), nullptr);
  neighbour.closed = true;
  neighbour.stream.disconnect();
}

// ---- Farewell ------------------------------------------------------------

void Lifelines::farewell() {
  for (Neighbour& neighbour : neighbours_) {
    if (!neighbour.closed) neighbour.stream.send(farewell_kind, {});
    if (!neighbour.closed) watch(neighbour);
  }
}

bool Lifelines::all_said_farewell() const noexcept {
  return std::all_of(neighbours_.begin(), neighbours_.end(),
                     [](const Neighbour& neighbour) { return neighbour.said_farewell || neighbour.closed; });
}

std::vector<int> Lifelines::departed() const {
  std::vector<int> ranks;
  for (const Neighbour& neighbour : neighbours_) {
    if (neighbour.said_farewell) ranks.push_back(neighbour.rank);
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

}  // namespace gossamer
