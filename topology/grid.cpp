#include "topology/entries.hpp"
#include "topology/shape.hpp"

namespace gossamer {
namespace {

std::vector<std::size_t> nearest_to_square(std::size_t size) {
  std::size_t rows = 1;
  for (std::size_t divisor = 1; divisor * divisor <= size; ++divisor) {
    if (size % divisor == 0) rows = divisor;
  }
  return {rows, size / rows};
}

GossipGraph grid(const Options& options, const Layout& layout) {
  GossipGraph graph{.size = layout.size, .rounds = {{}}, .directed = false, .weighted = false, .on_ranks = false};
  std::size_t stride = 1;
  for (const std::size_t factor : options.items().empty()
                                      ? nearest_to_square(layout.size)
                                      : shape_of(options, layout, "grid", "grid:AxB or grid:AxBxC")) {
    for (std::size_t i = 0; i < layout.size; ++i) {
      if (i / stride % factor + 1 < factor) link(graph.rounds[0], i, i + stride);
    }
    stride *= factor;
  }
  return graph;
}

}  // namespace

TopologyEntry grid_entry() noexcept {
  return {.name = "grid",
          .summary = "gossip: a torus that is cut open; without a shape, the one nearest to a square",
          .form = "grid[:AxB[xC...]]",
          .keys = {},
          .takes_items = true,
          .make = grid};
}

}  // namespace gossamer
