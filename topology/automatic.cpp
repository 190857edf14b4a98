#include <algorithm>
#include <array>
#include <iomanip>

#include "lib/base/error.hpp"
#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/prediction.hpp"
#include "topology/ring_order.hpp"
#include "topology/shape.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"bytes", "1048576", "of the all-reduces to choose for, as their payloads are sent; an integer from 1"},
};

constexpr std::size_t kMostComplete = 64;  // ranks that may all be connected with each other
constexpr std::size_t kMostToured = 256;   // ranks for which a tour takes no time to speak of
constexpr double kAlike = 1.1;             // predictions that are no further apart say nothing of which is better
constexpr std::size_t kShown = 6;

/// What could be written instead of auto.
struct Candidate {
  std::string spec;
  std::vector<Dimension> dimensions;
  RingOrder order{};
  double seconds = 0;
};

std::string shape_text(std::span<const std::size_t> factors) {
  std::string text;
  for (const std::size_t factor : factors) text += (text.empty() ? "" : "x") + std::to_string(factor);
  return text;
}

std::vector<Dimension> rings(std::span<const std::size_t> sizes) {
  std::vector<Dimension> dimensions;
  for (const std::size_t size : sizes) dimensions.push_back({.size = size});
  return dimensions;
}

bool same_rings(const Candidate& a, const Candidate& b) {
  return std::equal(a.dimensions.begin(), a.dimensions.end(), b.dimensions.begin(), b.dimensions.end(),
                    [](const Dimension& x, const Dimension& y) { return x.size == y.size && x.direct == y.direct; });
}

// In the order of preference: what has fewer neighbours first. Tori of two or three factors; more are the hypercube's.
std::vector<Candidate> candidates(const Layout& layout) {
  std::vector<Candidate> list;
  const auto add = [&list](Candidate candidate) {
    const auto same = [&](const Candidate& each) { return same_rings(each, candidate); };
    if (std::none_of(list.begin(), list.end(), same)) list.push_back(std::move(candidate));
  };
  add({"ring", rings({{layout.size}})});
  if (layout.links.measured() && layout.size <= kMostToured) {
    RingOrder order = ring_order(layout);
    if (!order.tour.empty()) list.push_back({"ring:order=measured", rings({{layout.size}}), std::move(order)});
  }
  const std::size_t local = layout.ranks_per_host.front();
  const auto alike = [local](std::size_t count) { return count == local; };
  if (std::all_of(layout.ranks_per_host.begin(), layout.ranks_per_host.end(), alike) && local > 1 &&
      local < layout.size) {
    add({"hierarchical", rings({{local, layout.size / local}})});
  }
  for (const std::size_t parts : {2, 3}) {
    for (const std::vector<std::size_t>& factors : shapes(layout.size, parts)) {
      add({"torus:" + shape_text(factors), rings(factors)});
    }
  }
  add({"hypercube", rings(prime_factors(layout.size))});
  if (layout.size <= kMostComplete) add({"complete", {{.size = layout.size, .direct = true}}});
  return list;
}

double predicted_seconds(const Candidate& candidate, const Layout& layout, double bytes) {
  std::vector<int> order(layout.order.begin(), layout.order.end());
  for (std::size_t i = 0; i < candidate.order.tour.size(); ++i) order[i] = layout.order[candidate.order.tour[i]];
  return all_reduce_seconds(candidate.dimensions, order, layout.links, bytes);
}

std::string name_and_time(const Candidate& candidate) {
  return sentence(candidate.spec, ' ', std::setprecision(3), candidate.seconds * 1e3, " ms");
}

std::string explain(const std::vector<Candidate>& list, const Candidate& chosen, const std::string& bytes) {
  std::vector<Candidate> others;
  for (const Candidate& each : list) {
    if (&each != &chosen) others.push_back(each);
  }
  std::stable_sort(others.begin(), others.end(),
                   [](const Candidate& a, const Candidate& b) { return a.seconds < b.seconds; });
  std::string text = name_and_time(chosen) + " predicted for an all-reduce of " + bytes + " bytes";
  for (std::size_t i = 0; i < std::min(others.size(), kShown); ++i) {
    text += (i == 0 ? "; others: " : ", ") + name_and_time(others[i]);
  }
  return chosen.order.tour.empty() ? text : text + "; " + chosen.order.reason;
}

Product automatic(const Options& options, const Layout& layout) {
  const auto bytes = static_cast<double>(options.integer("bytes", 1, INT64_MAX));
  std::vector<Candidate> list = candidates(layout);
  double least = 0;
  for (Candidate& each : list) {
    each.seconds = predicted_seconds(each, layout, bytes);
    least = &each == &list.front() ? each.seconds : std::min(least, each.seconds);
  }
  const Candidate& chosen = *std::find_if(list.begin(), list.end(),
                                          [least](const Candidate& each) { return each.seconds <= kAlike * least; });
  return {.dimensions = chosen.dimensions,
          .order = chosen.order.tour,
          .reason = explain(list, chosen, options.text("bytes"))};
}

bool always(const Options& /*options*/) {
  return true;
}

}  // namespace

TopologyEntry automatic_entry() noexcept {
  return {.name = "auto",
          .summary = "the product with the least predicted time of an all-reduce, by links measured at the start",
          .form = "auto[:bytes=N]",
          .keys = kKeys,
          .takes_items = false,
          .make = automatic,
          .wants_links = always};
}

}  // namespace gossamer
