#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/transport_world.hpp"

namespace gossamer::test {
namespace {

std::unique_ptr<Endpoint> open_rank(int rank) {
  EndpointContext context;
  context.rank = rank;
  context.size = 2;
  const TransportEntry& entry = find_transport("inproc");
  return entry.open(Options("transport inproc", Spec{}, entry.keys), context);
}

/// Two endpoints of one thread, connected.
struct Pair {
  Pair() : zero(open_rank(0)), one(open_rank(1)) {
    zero->connect(1, one->address(), true);
    one->connect(0, zero->address(), true);
  }
  std::unique_ptr<Endpoint> zero;
  std::unique_ptr<Endpoint> one;
};

TEST_CASE("inproc: what waits for a destroyed endpoint completes with status peer") {
  Pair pair;
  std::vector<std::byte> buffer(100);
  Transfer send;
  Transfer receive;
  pair.zero->send(1, 1, buffer, send);
  pair.zero->receive(1, 2, buffer, receive);
  REQUIRE(pair.zero->arm());
  pair.one.reset();
  CHECK_FALSE(pair.zero->arm());
  CHECK(pair.zero->progress());
  CHECK(send.state == Transfer::State::done);
  CHECK(send.status == Status::peer);
  CHECK(receive.state == Transfer::State::done);
  CHECK(receive.status == Status::peer);

  Transfer late_send;
  Transfer late_receive;
  pair.zero->send(1, 3, buffer, late_send);
  pair.zero->receive(1, 4, buffer, late_receive);
  CHECK(late_send.state == Transfer::State::done);
  CHECK(late_send.status == Status::peer);
  CHECK(late_receive.state == Transfer::State::done);
  CHECK(late_receive.status == Status::peer);
}

TEST_CASE("inproc: a message withdrawn with its endpoint is not delivered") {
  Pair pair;
  std::vector<std::byte> buffer(100);
  Transfer send;
  pair.one->send(0, 1, buffer, send);
  pair.one->abandon(send);
  pair.one.reset();
  Transfer receive;
  pair.zero->receive(1, 1, buffer, receive);
  CHECK(receive.state == Transfer::State::done);
  CHECK(receive.status == Status::peer);
}

TEST_CASE("inproc: a stale address is no route, and garbage is refused") {
  const auto zero = open_rank(0);
  auto one = open_rank(1);
  const std::vector<std::byte> address = one->address();
  one.reset();
  CHECK_THROWS_WITH_AS(zero->connect(1, address, true), doctest::Contains("rank 1 has closed"), Error);
  const std::vector<std::byte> garbage(address.size());
  CHECK_THROWS_WITH_AS(zero->connect(1, garbage, true), doctest::Contains("no inproc address"), Error);
  CHECK_THROWS_WITH_AS(zero->connect(1, Bytes(address).first(5), true), doctest::Contains("5 bytes"), Error);
}

TEST_CASE("inproc: an address of another process is refused in words") {
  const auto zero = open_rank(0);
  const std::vector<std::byte> address = zero->address();
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 1;
    try {
      open_rank(1)->connect(0, address, true);
    } catch (const Error& error) {
      const bool explains = std::string_view(error.what()).find("threads of one process") != std::string_view::npos;
      code = error.status() == Status::argument && explains ? 0 : 2;
    }
    ::_exit(code);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("inproc: endpoints come and go while peers copy") {
  std::vector<std::byte> sent(1 << 20, std::byte{7});
  for (int round = 0; round < 30; ++round) {
    INFO("round ", round);
    Pair pair;
    std::vector<std::byte> received(sent.size());
    std::array<Transfer, 4> sends;
    std::array<Transfer, 4> receives;
    CHECK_NOTHROW(run_ranks(2, [&](int rank) {
      if (rank == 0) {
        for (std::size_t i = 0; i < sends.size(); ++i) pair.zero->send(1, i, sent, sends[i]);
        for (Transfer& transfer : sends) pair.zero->abandon(transfer);
        pair.zero.reset();
      } else {
        for (std::size_t i = 0; i < receives.size(); ++i) pair.one->receive(0, i, received, receives[i]);
        for (int i = 0; i < round; ++i) pair.one->progress();
        for (Transfer& transfer : receives) pair.one->abandon(transfer);
        pair.one.reset();
      }
    }));
  }
}

}  // namespace
}  // namespace gossamer::test
