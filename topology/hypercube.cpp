#include "topology/entries.hpp"
#include "topology/shape.hpp"

namespace gossamer {
namespace {

// Ascending primes: a host has a power of two of ranks more often than anything else, and the first dimensions, which
// carry the most bytes, then stay inside it.
Product hypercube(const Options& /*options*/, const Layout& layout) {
  Product product;
  for (const std::size_t prime : prime_factors(layout.size)) product.dimensions.push_back({.size = prime});
  return product;
}

}  // namespace

TopologyEntry hypercube_entry() noexcept {
  return {.name = "hypercube",
          .summary = "a ring for each prime factor of the number of ranks: fewest steps",
          .form = "hypercube",
          .keys = {},
          .takes_items = false,
          .make = hypercube};
}

}  // namespace gossamer
