#include <doctest/doctest.h>

#include <array>

#include "tests/transport_conformance.hpp"
#include "tests/transport_processes.hpp"

namespace gossamer::test {
namespace {

constexpr double kFarewellSeconds = 5.0;  // generous: an endpoint says a second at most

void close_in_time(World& world) {
  const Clock::time_point start = Clock::now();
  world.close();
  expect(seconds_since(start) < kFarewellSeconds, "destroying the endpoint took ", seconds_since(start), " s");
}

/// Rank 1 dies with traffic in flight; rank 0 goes on calling, and destroys its endpoint.
void survives_a_killed_peer(World& world, std::string_view transport, Hosts hosts, bool must_notice) {
  world.open(transport, hosts);
  std::array<conformance::Incoming, 2> in = {conformance::Incoming(1000), conformance::Incoming(500000)};
  std::vector<conformance::Outgoing> out;
  for (std::uint32_t i = 0; i < 60; ++i) out.emplace_back(i % 3 == 0 ? 400000 : 100 * i, i);
  if (world.rank() == 1) {
    world.send(0, 1, out[0].buffer, out[0].transfer);
    ::kill(::getpid(), SIGKILL);
  }
  for (std::uint32_t i = 0; i < in.size(); ++i) world.receive(1, 100 + i, in[i].buffer, in[i].transfer);
  const Deadline patience = Deadline::in(must_notice ? 20.0 : 1.0);
  std::size_t posted = 0;
  while (!patience.expired() && in[0].transfer.state != Transfer::State::done) {
    if (posted < out.size()) {
      world.send(1, 200 + posted, out[posted].buffer, out[posted].transfer);
      ++posted;
    }
    world.endpoint().progress();
    ::usleep(1000);
  }
  if (must_notice) {
    for (conformance::Incoming& message : in) world.complete(message.transfer, "a receive from the dead", Status::peer);
    conformance::Outgoing late(100, 1);
    world.send(1, 999, late.buffer, late.transfer);
    world.complete(late.transfer, "a send to the dead", Status::peer);
  }
  for (conformance::Incoming& message : in) world.endpoint().abandon(message.transfer);
  for (std::size_t i = 0; i < posted; ++i) world.endpoint().abandon(out[i].transfer);
  close_in_time(world);
}

TEST_CASE("ucx over tcp: a killed peer is noticed, calls go on, and the endpoint closes in time") {
  CHECK_NOTHROW(run_processes(
      2, [](World& world) { survives_a_killed_peer(world, "ucx:tls=tcp", Hosts::same, true); }, 1));
  CHECK_NOTHROW(run_processes(
      2, [](World& world) { survives_a_killed_peer(world, "ucx", Hosts::other, true); }, 1));
}

TEST_CASE("ucx over shared memory: a killed peer neither ends nor hangs the survivor") {
  for (const char* transport : {"ucx", "ucx:tls=self+sysv", "ucx:tls=self+posix", "ucx:cma=on"}) {
    INFO(transport);
    CHECK_NOTHROW(run_processes(
        2, [&](World& world) { survives_a_killed_peer(world, transport, Hosts::same, false); }, 1));
  }
}

TEST_CASE("ucx with neighbours here and elsewhere: a killed peer on this host neither ends nor hangs the survivor") {
  CHECK_NOTHROW(run_processes(
      2, [](World& world) { survives_a_killed_peer(world, "ucx", Hosts::same_beside_other, false); }, 1));
}

TEST_CASE("ucx: an endpoint closes in time while its peer is stopped") {
  for (const char* transport : {"ucx", "ucx:tls=tcp"}) {
    INFO(transport);
    CHECK_NOTHROW(run_processes(2, [&](World& world) {
      world.open(transport);
      std::vector<conformance::Outgoing> out;
      for (std::uint32_t i = 0; i < 40; ++i) out.emplace_back(300000, i);
      world.barrier();
      // The peer makes no progress, as a stopped process would not.
      if (world.rank() == 1) {
        ::usleep(1500000);
        return;
      }
      for (std::uint32_t i = 0; i < out.size(); ++i) world.send(1, i, out[i].buffer, out[i].transfer);
      for (int i = 0; i < 100; ++i) world.endpoint().progress();
      for (conformance::Outgoing& message : out) world.endpoint().abandon(message.transfer);
      close_in_time(world);
    }));
  }
}

TEST_CASE("ucx conformance over every kind of route, ranks as processes") {
  for (const char* transport : {"ucx:tls=tcp", "ucx:tls=self+posix", "ucx:tls=self+sysv", "ucx:cma=on"}) {
    for (const ConformanceCase& conformance : conformance_cases()) {
      const std::string name = sentence(transport, ": ", conformance.name);
      SUBCASE(name.c_str()) {
        CHECK_NOTHROW(run_processes(conformance.ranks, [&](World& world) {
          world.open(transport);
          conformance.run(world);
        }));
      }
    }
  }
}

TEST_CASE("ucx: neighbours on other hosts only leave shared memory out") {
  CHECK_NOTHROW(run_processes(2, [](World& world) {
    world.open("ucx", Hosts::other);
    const std::string text = world.endpoint().describe();
    expect(text.find("posix/") == std::string::npos && text.find("sysv/") == std::string::npos, text);
    conformance::exchanges_every_size(world);
  }));
}

TEST_CASE("ucx: options it cannot follow are errors with the reason") {
  const TransportEntry& entry = find_transport("ucx");
  EndpointContext context;
  const auto open = [&](std::string_view text) {
    return entry.open(Options("transport ucx", Spec::parse(text), entry.keys), context);
  };
  CHECK_THROWS_WITH_AS(open("ucx:tsl=tcp"), doctest::Contains("tls"), Error);
  CHECK_THROWS_WITH_AS(open("ucx:cma=perhaps"), doctest::Contains("perhaps"), Error);
  context.interface = "nosuch0";
  CHECK_THROWS_WITH_AS(open("ucx"), doctest::Contains("nosuch0"), Error);
  CHECK_THROWS_WITH_AS(open("ucx"), doctest::Contains("lo"), Error);
  context.interface = "lo";
  CHECK_NOTHROW(open("ucx"));
}

TEST_CASE("ucx: bytes that are no UCX address are refused, naming the rank") {
  const TransportEntry& entry = find_transport("ucx");
  EndpointContext context;
  context.size = 4;
  const auto endpoint = entry.open(Options("transport ucx", Spec{}, entry.keys), context);
  std::vector<std::byte> address = endpoint->address();
  CHECK(address.size() <= SharedBoard::kAddress);
  CHECK_THROWS_WITH_AS(endpoint->connect(3, {}, true), doctest::Contains("rank 3 sent 0 bytes"), Error);
  address[2] ^= std::byte{1};
  CHECK_THROWS_WITH_AS(endpoint->connect(3, address, true), doctest::Contains("no UCX address"), Error);
}

}  // namespace
}  // namespace gossamer::test
