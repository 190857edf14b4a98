#include "topology/tour.hpp"

#include <algorithm>
#include <boost/graph/adjacency_matrix.hpp>
#include <boost/graph/metric_tsp_approx.hpp>
#include <iterator>
#include <numeric>

namespace gossamer {
namespace {

constexpr double kRounding = 1e-12;  // relative: what a shorter tour has to save, so that improving ends

}  // namespace

double cost_of(const Tour& tour, const Costs& costs) {
  double sum = 0;
  for (std::size_t i = 0; i < tour.size(); ++i) sum += costs.between(tour[i], tour[(i + 1) % tour.size()]);
  return sum;
}

Tour spanning_tree_tour(const Costs& costs) {
  Tour tour(costs.size());
  std::iota(tour.begin(), tour.end(), std::size_t{0});
  if (costs.size() <= 3) return tour;  // there is only one
  using Weight = boost::property<boost::edge_weight_t, double>;
  boost::adjacency_matrix<boost::undirectedS, boost::no_property, Weight> graph(costs.size());
  for (std::size_t a = 0; a < costs.size(); ++a) {
    for (std::size_t b = a + 1; b < costs.size(); ++b) add_edge(a, b, Weight(costs.between(a, b)), graph);
  }
  tour.clear();
  boost::metric_tsp_approx_tour(graph, std::back_inserter(tour));
  tour.pop_back();  // back at the start
  return tour;
}

void two_opt(Tour& tour, const Costs& costs) {
  const std::size_t size = tour.size();
  const double least_saving = kRounding * cost_of(tour, costs);
  for (bool improved = true; improved;) {
    improved = false;
    for (std::size_t first = 1; first + 1 < size; ++first) {
      for (std::size_t last = first + 1; last < size; ++last) {
        const std::size_t before = tour[first - 1];
        const std::size_t after = tour[(last + 1) % size];
        const double now = costs.between(before, tour[first]) + costs.between(tour[last], after);
        const double then = costs.between(before, tour[last]) + costs.between(tour[first], after);
        if (now - then <= least_saving) continue;
        const auto start = tour.begin() + static_cast<std::ptrdiff_t>(first);
        std::reverse(start, tour.begin() + static_cast<std::ptrdiff_t>(last) + 1);
        improved = true;
      }
    }
  }
}

}  // namespace gossamer
