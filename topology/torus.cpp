#include "topology/entries.hpp"
#include "topology/shape.hpp"

namespace gossamer {
namespace {

std::vector<Dimension> torus(const Options& options, const Layout& layout) {
  std::vector<Dimension> dimensions;
  for (const std::size_t factor : shape_of(options, layout, "torus", "torus:AxB or torus:AxBxC")) {
    dimensions.push_back({.size = factor});
  }
  return dimensions;
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
