#include "lib/lifelines.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>

#include "tests/processes.hpp"

namespace gossamer {
namespace {

using testing::Outcome;
using testing::run_processes;
using testing::Team;

constexpr double hang_deadline_seconds = 60;
constexpr double news_deadline_seconds = 2;  // within which a death must be known everywhere

std::vector<int> ring_neighbours(int rank, int size) {
  std::vector<int> ranks = {(rank + size - 1) % size, (rank + 1) % size};
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

std::unique_ptr<Lifelines> join_ring(int rank, Team& team) {
  auto lifelines = std::make_unique<Lifelines>(rank, "");
  const auto addresses = team.allgather(rank, lifelines->address());
  const std::vector<char> same_host(addresses.size(), 1);
  lifelines->connect(ring_neighbours(rank, team.size), addresses, same_host, 30);
  team.barrier();
  return lifelines;
}

/// What comes within the time, sleeping on wait_fd() as an engine would.
std::optional<Casualty> await_news(Lifelines& lifelines, double seconds) {
  const Deadline deadline = Deadline::in(seconds);
  for (;;) {
    if (std::optional<Casualty> casualty = lifelines.poll()) return casualty;
    if (deadline.expired()) return std::nullopt;
    pollfd ready{lifelines.wait_fd(), POLLIN, 0};
    wait_for({&ready, 1}, deadline.remaining_seconds());
  }
}

std::string text_of(const std::optional<Casualty>& casualty) {
  if (!casualty) return "nothing heard";
  return sentence(casualty->rank, "|", static_cast<int>(casualty->status), "|", casualty->sentence);
}

/// Polls until all neighbours have said goodbye; what was heard meanwhile.
std::string leave(Lifelines& lifelines) {
  lifelines.farewell();
  const Deadline deadline = Deadline::in(hang_deadline_seconds);
  while (!deadline.expired()) {
    if (const auto casualty = await_news(lifelines, 0.01)) return text_of(casualty);
    if (lifelines.all_said_farewell()) return "left in peace";
  }
  return "some neighbour never said goodbye";
}

void check_said(const std::vector<Outcome>& outcomes, const std::string& expected) {
  for (std::size_t rank = 0; rank < outcomes.size(); ++rank) {
    CAPTURE(rank);
    CHECK(outcomes[rank].in_time);
    CHECK(outcomes[rank].signal == 0);
    CHECK(outcomes[rank].status == Status::ok);
    CHECK(outcomes[rank].said == expected);
  }
}

TEST_CASE("all survivors of a ring learn which rank was killed, and leave as soon as they have") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (const int size : {2, 3, 4, 8}) {
    const int victim = static_cast<int>(random() % static_cast<unsigned>(size));
    CAPTURE(size);
    CAPTURE(victim);
    auto outcomes = run_processes(size, hang_deadline_seconds, [&](int rank, Team& team) {
      const auto lifelines = join_ring(rank, team);
      if (rank == victim) kill(getpid(), SIGKILL);
      return text_of(await_news(*lifelines, news_deadline_seconds));
    });
    CHECK(outcomes[static_cast<std::size_t>(victim)].signal == SIGKILL);
    outcomes.erase(outcomes.begin() + victim);
    check_said(outcomes, sentence(victim, "|", static_cast<int>(Status::peer), "|rank ", victim, " (host ", host_name(),
                                  ") died: its connection closed"));
  }
}

TEST_CASE("announced news reaches every rank once, with its sentence") {
  constexpr int size = 7;
  auto outcomes = run_processes(size, hang_deadline_seconds, [&](int rank, Team& team) {
    const auto lifelines = join_ring(rank, team);
    if (rank == 0) lifelines->announce({3, Status::timeout, "rank 3 did not answer in hop 2 of 6"});
    const std::string first = rank == 0 ? "" : text_of(await_news(*lifelines, hang_deadline_seconds));
    team.barrier();
    const auto second = await_news(*lifelines, 0.05);
    const std::string parting = leave(*lifelines);
    return first + (second ? " and again" : "") + ", " + parting;
  });
  CHECK(outcomes[0].said == ", left in peace");
  outcomes.erase(outcomes.begin());
  check_said(outcomes,
             sentence("3|", static_cast<int>(Status::timeout), "|rank 3 did not answer in hop 2 of 6, left in peace"));
}

TEST_CASE("news about several ranks is returned one by one; long sentences are cut") {
  const std::string tale(2000, 'x');
  const auto outcomes = run_processes(2, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    const auto lifelines = join_ring(rank, team);
    if (rank == 0) {
      lifelines->announce({0, Status::corrupt, tale});
      lifelines->announce({-1, Status::system, "b\nc"});
      return leave(*lifelines);
    }
    const auto first = await_news(*lifelines, hang_deadline_seconds);
    const auto second = await_news(*lifelines, hang_deadline_seconds);
    if (text_of(first) != "0|6|" + std::string(Lifelines::longest_sentence, 'x')) return text_of(first);
    if (text_of(second) != "-1|9|b c") return text_of(second);
    return leave(*lifelines);
  });
  check_said(outcomes, "left in peace");
}

TEST_CASE("an orderly goodbye is no casualty") {
  const auto outcomes = run_processes(4, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    auto lifelines = join_ring(rank, team);
    if (rank == 2) {
      lifelines->farewell();
      lifelines.reset();
      team.barrier();
      team.barrier();
      return "left in peace";
    }
    team.barrier();
    const auto casualty = await_news(*lifelines, 0.1);
    if (casualty) return text_of(casualty);
    const std::vector<int> expected = rank == 0 ? std::vector<int>{} : std::vector<int>{2};
    if (lifelines->departed() != expected) return "departed: wrong";
    if (lifelines->all_said_farewell()) return "rank 0 or its neighbours have not said goodbye yet";
    team.barrier();
    return leave(*lifelines);
  });
  check_said(outcomes, "left in peace");
}

TEST_CASE("a stopped rank is no casualty, and hears what it missed when it goes on") {
  const auto outcomes = run_processes(3, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    const auto lifelines = join_ring(rank, team);
    if (rank == 1) raise(SIGSTOP);
    if (rank == 1) return text_of(await_news(*lifelines, hang_deadline_seconds));
    if (rank == 2) return text_of(await_news(*lifelines, hang_deadline_seconds));
    const auto casualty = await_news(*lifelines, 0.3);
    lifelines->announce({-1, Status::timeout, "enough"});
    kill(team.pid[1], SIGCONT);
    return casualty ? text_of(casualty) : "-1|4|enough";
  });
  check_said(outcomes, "-1|4|enough");
}

TEST_CASE("a lifeline sleeps until there is something to do") {
  const auto outcomes = run_processes(2, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    const auto lifelines = join_ring(rank, team);
    if (rank == 1) {
      team.barrier();
      lifelines->announce({-1, Status::system, "news"});
      return leave(*lifelines);
    }
    if (lifelines->poll()) return "news too early";
    pollfd ready{lifelines->wait_fd(), POLLIN, 0};
    wait_for({&ready, 1}, 0.05);
    if (ready.revents != 0) return "readable without a reason";
    team.barrier();
    wait_for({&ready, 1}, hang_deadline_seconds);
    if (ready.revents == 0) return "not readable";
    if (!lifelines->poll()) return "no news";
    return leave(*lifelines);
  });
  check_said(outcomes, "left in peace");
}

/// A connection to where `contact` listens on this host, for those who do not keep to the protocol.
Fd connect_raw(const Contact& contact) {
  Fd socket = start_connect(contact.candidates(true).at(0));
  const Deadline deadline = Deadline::in(hang_deadline_seconds);
  while (connect_result(socket) == EINPROGRESS && !deadline.expired()) usleep(1000);
  return socket;
}

void send_raw(const Fd& socket, std::string_view bytes) {
  if (::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) fail(Status::system, "cannot send");
}

template <typename... Values>
std::string packed(const Values&... values) {
  std::string bytes;
  (bytes.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
  return bytes;
}

std::string frame(std::uint32_t kind, const std::string& payload) {
  return "GSM1" + packed(kind, static_cast<std::uint32_t>(payload.size())) + payload;
}

std::string hello(std::uint64_t token, std::int32_t rank) {
  return frame(1, packed(token, rank, std::int32_t{0}));
}

TEST_CASE("strangers on the listening port hurt nobody") {
  const auto outcomes = run_processes(2, hang_deadline_seconds, [&](int rank, Team& team) {
    Lifelines lifelines(rank, "");
    const auto addresses = team.allgather(rank, lifelines.address());
    const Contact contact = Contact::from_blob(addresses[0]);
    std::vector<Fd> strangers;
    if (rank == 1) {
      for (const std::string& bytes :
           {std::string(), std::string("GET / HTTP/1.1\r\n\r\n"), std::string("GSM"), frame(1, "short"),
            frame(3, packed(1, 5) + "news from nobody"), hello(contact.token + 1, 1), hello(contact.token, 0),
            hello(contact.token, 7), std::string(100'000, '\xff')}) {
        strangers.push_back(connect_raw(contact));
        if (!bytes.empty()) send_raw(strangers.back(), bytes);
      }
    }
    team.barrier();
    const std::vector<int> other = {1 - rank};
    lifelines.connect(other, addresses, std::vector<char>{1, 1}, 30);
    return leave(lifelines);
  });
  check_said(outcomes, "left in peace");
}

TEST_CASE("bytes that are no news make a casualty of the neighbour that sent them") {
  const std::vector<std::string> garbage = {
      "GARBAGE",
      frame(9, ""),                                          // unknown kind
      frame(3, packed(1)),                                   // news without a status
      frame(3, packed(99, 5)),                               // about a rank that does not exist
      frame(3, packed(1, 77)),                               // with a status that does not exist
      frame(3, packed(1, 5) + std::string(501, 'x')),        // longer than allowed
      "GSM1" + packed(std::uint32_t{3}, ~std::uint32_t{0}),  // of 4 GiB
  };
  for (const std::string& bytes : garbage) {
    const auto outcomes = run_processes(2, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
      Lifelines lifelines(rank, "");
      const auto addresses = team.allgather(rank, lifelines.address());
      if (rank == 1) {
        const Contact contact = Contact::from_blob(addresses[0]);
        const Fd socket = connect_raw(contact);
        send_raw(socket, hello(contact.token, 1) + bytes);
        team.barrier();
        return "";
      }
      std::optional<Casualty> casualty;
      try {
        lifelines.connect(std::vector<int>{1}, addresses, std::vector<char>{1, 1}, 30);
        casualty = await_news(lifelines, hang_deadline_seconds);
      } catch (const Error& error) {
        casualty = Casualty{1, error.status(), error.what()};  // when they came together with the hello
      }
      team.barrier();
      return text_of(casualty);
    });
    CAPTURE(outcomes[0].said);
    CHECK(outcomes[0].said.starts_with(sentence("1|6|rank 1 (host ", host_name(), ") sent bytes")));
  }
}

TEST_CASE("half a message followed by the end is a death") {
  const auto outcomes = run_processes(2, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    Lifelines lifelines(rank, "");
    const auto addresses = team.allgather(rank, lifelines.address());
    if (rank == 1) {
      const Contact contact = Contact::from_blob(addresses[0]);
      const Fd socket = connect_raw(contact);
      send_raw(socket, hello(contact.token, 1));
      team.barrier();
      send_raw(socket, frame(3, packed(1, 5) + "half a sentence").substr(0, 20));
      return "";
    }
    lifelines.connect(std::vector<int>{1}, addresses, std::vector<char>{1, 1}, 30);
    team.barrier();
    return text_of(await_news(lifelines, hang_deadline_seconds));
  });
  CHECK(outcomes[0].said == sentence("1|5|rank 1 (host ", host_name(), ") died: its connection closed"));
}

TEST_CASE("a rank that never comes is named, and those connected already are told") {
  const auto outcomes = run_processes(3, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    Lifelines lifelines(rank, "");
    const auto addresses = team.allgather(rank, lifelines.address());
    std::string said = "stayed away";
    if (rank != 2) {
      try {
        lifelines.connect(std::vector<int>{1 - rank, 2}, addresses, std::vector<char>{1, 1, 1}, rank == 0 ? 3 : 30);
        said = "connected";
      } catch (const Error& error) {
        said = sentence(static_cast<int>(error.status()), "|", error.what());
      }
    }
    team.barrier();
    return said;
  });
  const std::string expected =
      sentence("4|rank 2 (host ", host_name(), ") did not answer rank 0's lifeline within 3 s");
  CHECK(outcomes[0].said == expected);
  CHECK(outcomes[1].said == expected);
}

TEST_CASE("no route names the rank, the addresses and what each said") {
  const auto outcomes = run_processes(2, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    auto lifelines = std::make_unique<Lifelines>(rank, "");
    const auto addresses = team.allgather(rank, lifelines->address());
    if (rank == 0) lifelines.reset();
    team.barrier();
    if (rank == 1) lifelines->connect(std::vector<int>{0}, addresses, std::vector<char>{1, 1}, 30);
    return "";
  });
  CAPTURE(outcomes[1].said);
  CHECK(outcomes[1].status == Status::system);
  CHECK(outcomes[1].said.find("no route from rank 1 to rank 0 (host " + host_name() + "): 127.0.0.1:") == 0);
  CHECK(outcomes[1].said.find("Connection refused") != std::string::npos);
}

TEST_CASE("lifelines of ranks that are threads") {
  Lifelines zero(0, "");
  Lifelines one(1, "");
  const std::vector<std::vector<std::byte>> addresses = {zero.address(), one.address()};
  std::thread other([&] { one.connect(std::vector<int>{0}, addresses, std::vector<char>{1, 1}, 30); });
  zero.connect(std::vector<int>{1}, addresses, std::vector<char>{1, 1}, 30);
  other.join();
  one.announce({1, Status::numeric, "by hand"});
  CHECK(text_of(await_news(zero, hang_deadline_seconds)) == "1|7|by hand");
}

TEST_CASE("one rank alone has nothing to hear") {
  Lifelines alone(0, "");
  alone.connect({}, std::vector<std::vector<std::byte>>{alone.address()}, std::vector<char>{1}, 1);
  CHECK(!alone.poll());
  alone.farewell();
  CHECK(alone.all_said_farewell());
  CHECK(alone.departed().empty());
}

TEST_CASE("a contact survives its blob, whose size never varies") {
  const Contact contact = Contact::of_listener(4242, "lo");
  const std::vector<std::byte> blob = contact.blob();
  CHECK(blob.size() == Contact::blob_bytes);
  const Contact copy = Contact::from_blob(blob);
  CHECK(copy.token == contact.token);
  CHECK(copy.host == contact.host);
  REQUIRE(!copy.addresses.empty());
  CHECK(copy.candidates(false).at(0).text() == "127.0.0.1:4242");
  CHECK(copy.candidates(true).at(0).text() == "127.0.0.1:4242");
  CHECK(copy.candidates(true).at(1).text() == "[::1]:4242");
  CHECK(copy.candidates(false).size() == contact.addresses.size());
}

TEST_CASE("a contact made of random bytes is refused or harmless") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  int refused = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<std::byte> blob(random() % (Contact::blob_bytes + 1));
    for (std::byte& byte : blob) byte = static_cast<std::byte>(random());
    try {
      const Contact contact = Contact::from_blob(blob);
      CHECK(contact.addresses.size() <= Contact::blob_bytes / 17);
    } catch (const Error& error) {
      ++refused;
      CHECK(error.status() == Status::corrupt);
    }
  }
  CHECK(refused > 1000);
}

}  // namespace
}  // namespace gossamer
