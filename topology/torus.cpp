#include "topology/entries.hpp"
#include "topology/shape.hpp"

namespace gossamer {
namespace {

Product torus(const Options& options, const Layout& layout) {
  Product product;
  for (const std::size_t factor : shape_of(options, layout, "torus", "torus:AxB or torus:AxBxC")) {
    product.dimensions.push_back({.size = factor});
  }
  return product;
}

}  // namespace

TopologyEntry torus_entry() noexcept {
  return {.name = "torus",
          .summary = "a ring along each factor; the first factor's rings are within hosts",
          .form = "torus:AxB[xC...]",
          .keys = {},
          .takes_items = true,
          .make = torus};
}

}  // namespace gossamer
