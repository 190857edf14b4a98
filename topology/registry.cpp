#include <array>
#include <charconv>
#include <climits>

#include "lib/base/error.hpp"
#include "topology/topology.hpp"

namespace gossamer {
namespace {

std::vector<Dimension> ring(const Options& /*options*/, std::size_t size) {
  return {{.size = size}};
}

std::vector<Dimension> complete(const Options& /*options*/, std::size_t size) {
  return {{.size = size, .direct = true}};
}

// Ascending primes: a host has a power of two of ranks more often than anything else, and the first dimensions, which
// carry the most bytes, then stay inside it.
std::vector<Dimension> hypercube(const Options& /*options*/, std::size_t size) {
  std::vector<Dimension> dimensions;
  for (std::size_t prime = 2; prime * prime <= size; ++prime) {
    for (; size % prime == 0; size /= prime) dimensions.push_back({.size = prime});
  }
  if (size > 1) dimensions.push_back({.size = size});
  return dimensions;
}

[[noreturn]] void refuse_torus(const Options& options) {
  std::string given = "torus";
  for (const std::string& item : options.items()) given += (given == "torus" ? ":" : ",") + item;
  fail(Status::argument, "'", given, "' is not a torus; write torus:AxB or torus:AxBxC with whole numbers from 1, ",
       "such as torus:4x8");
}

// The numbers of "4x8x2", each from 1 to INT_MAX; none when the text is anything else.
std::vector<std::size_t> factors_of(std::string_view text) {
  std::vector<std::size_t> factors;
  while (true) {
    const std::string_view number = text.substr(0, text.find('x'));
    int factor = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), factor);
    if (error != std::errc() || end != number.data() + number.size() || factor < 1) return {};
    factors.push_back(static_cast<std::size_t>(factor));
    if (number.size() == text.size()) return factors;
    text.remove_prefix(number.size() + 1);
  }
}

std::vector<Dimension> torus(const Options& options, std::size_t size) {
  if (options.items().size() != 1) refuse_torus(options);
  const std::string& shape = options.items().front();
  const std::vector<std::size_t> factors = factors_of(shape);
  if (factors.size() < 2) refuse_torus(options);
  std::size_t places = 1;
  for (std::size_t factor : factors) {
    if (places > INT_MAX / factor) {
      fail(Status::argument, "torus:", shape, " has more than ", INT_MAX, " places but there are ", size, " ranks");
    }
    places *= factor;
  }
  if (places != size) {
    fail(Status::argument, "torus:", shape, " has ", places, " places but there are ", size, " ranks");
  }
  std::vector<Dimension> dimensions;
  for (std::size_t factor : factors) dimensions.push_back({.size = factor});
  return dimensions;
}

constexpr std::array kTopologies = {
    TopologyEntry{"ring", "one ring of all ranks: two neighbours, least memory, most steps", "ring", ring},
    TopologyEntry{"torus", "a ring along each factor; the first factor's rings are within hosts", "torus:AxB[xC...]",
                  torus},
    TopologyEntry{"hypercube", "a ring for each prime factor of the number of ranks: fewest steps", "hypercube",
                  hypercube},
    TopologyEntry{"complete", "everybody exchanges with everybody in two steps", "complete", complete},
};

}  // namespace

std::span<const TopologyEntry> topologies() noexcept {
  return kTopologies;
}

}  // namespace gossamer
