#include <doctest/doctest.h>

#include "tests/transport_conformance.hpp"

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

TEST_CASE("the registry refuses unknown transports and lists the known") {
  for (const TransportEntry& entry : transports()) CHECK(&find_transport(entry.name) == &entry);
  CHECK_THROWS_WITH_AS(find_transport("pigeon"), doctest::Contains("inproc"), Error);
}

}  // namespace
}  // namespace gossamer::test
