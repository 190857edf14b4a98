#include <doctest/doctest.h>

#include "tests/transport_conformance.hpp"
#include "tests/transport_processes.hpp"

namespace gossamer::test {
namespace {

TEST_CASE("transport conformance, ranks as threads") {
  for (const TransportEntry& entry : transports()) {
    for (const ConformanceCase& conformance : conformance_cases()) {
      const std::string name = sentence(entry.name, ": ", conformance.name);
      SUBCASE(name.c_str()) {
        CHECK_NOTHROW(run_threads(conformance.ranks, [&](World& world) {
          world.open(entry.name);
          conformance.run(world);
        }));
      }
    }
  }
}

TEST_CASE("transport conformance, ranks as processes") {
  for (const TransportEntry& entry : transports()) {
    if (entry.same_process) continue;
    for (const ConformanceCase& conformance : conformance_cases()) {
      const std::string name = sentence(entry.name, ": ", conformance.name);
      SUBCASE(name.c_str()) {
        CHECK_NOTHROW(run_processes(conformance.ranks, [&](World& world) {
          world.open(entry.name);
          conformance.run(world);
        }));
      }
    }
  }
}

TEST_CASE("the registry refuses unknown transports and lists the known") {
  for (const TransportEntry& entry : transports()) CHECK(&find_transport(entry.name) == &entry);
  CHECK_THROWS_WITH_AS(find_transport("pigeon"), doctest::Contains("inproc, ucx"), Error);
}

TEST_CASE("every transport says what is in force") {
  for (const TransportEntry& entry : transports()) {
    run_threads(2, [&](World& world) {
      world.open(entry.name);
      const std::string text = world.endpoint().describe();
      expect(text.find(entry.name) != std::string::npos, "the description does not name the transport: ", text);
      expect(text.find(std::to_string(1 - world.rank())) != std::string::npos, "no word about the peer: ", text);
      world.barrier();
    });
  }
}

TEST_CASE("using a rank that is not connected is an internal error") {
  for (const TransportEntry& entry : transports()) {
    EndpointContext context;
    context.size = 2;
    const auto endpoint = entry.open(Options(std::string(entry.name), Spec{}, entry.keys), context);
    Transfer transfer;
    CHECK_THROWS_WITH_AS(endpoint->send(1, 0, {}, transfer), doctest::Contains("not connected to rank 1"), Error);
    CHECK_THROWS_WITH_AS(endpoint->receive(7, 0, {}, transfer), doctest::Contains("not connected to rank 7"), Error);
    CHECK(transfer.state == Transfer::State::idle);
  }
}

}  // namespace
}  // namespace gossamer::test
