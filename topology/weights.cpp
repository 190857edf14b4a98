#include "topology/weights.hpp"

#include <algorithm>
#include <array>

#include "lib/base/error.hpp"
#include "topology/spectrum.hpp"

namespace gossamer {
namespace {

constexpr std::array<std::string_view, 8> kRules = {"auto",       "metropolis", "uniform", "out-uniform",
                                                    "max-degree", "laplacian",  "lazy",    "given"};

struct Degrees {
  std::vector<double> in;
  std::vector<double> out;
  double largest = 0;

  explicit Degrees(const GossipGraph& graph) : in(graph.size, 0), out(graph.size, 0) {
    for (const Arc& arc : graph.rounds.front().arcs) {
      largest = std::max({largest, ++in[arc.to], ++out[arc.from]});
    }
  }
  [[nodiscard]] bool all_equal() const {
    const auto is_largest = [this](double degree) { return degree == largest; };
    return std::all_of(in.begin(), in.end(), is_largest) && std::all_of(out.begin(), out.end(), is_largest);
  }
};

std::string_view choose(const GossipGraph& graph, const Degrees& degrees) {
  if (!graph.directed) return "metropolis";
  return degrees.all_equal() ? "uniform" : "out-uniform";
}

double weight_of(const Arc& arc, const Degrees& degrees, std::string_view rule) {
  if (rule == "metropolis") return 1 / (1 + std::max(degrees.in[arc.to], degrees.in[arc.from]));
  if (rule == "uniform") return 1 / (1 + degrees.in[arc.to]);
  if (rule == "out-uniform") return 1 / (1 + degrees.out[arc.from]);
  if (rule == "max-degree") return 1 / (1 + degrees.largest);
  fail(Status::internal, "weights=", rule, " weighs no arc");
}

void refuse_misfit(const GossipGraph& graph, std::string_view rule, std::string_view spec) {
  if (graph.weighted && graph.rounds.size() > 1) {
    fail(Status::argument, "topology ", spec, " has weights of its own, other ones in each round; weights=", rule,
         " does not fit it, weights=auto does");
  }
  if (graph.directed && (rule == "metropolis" || rule == "laplacian")) {
    fail(Status::argument, "weights=", rule, " is for undirected graphs but topology ", spec,
         " is directed; valid are auto, uniform, out-uniform, max-degree, lazy");
  }
}

// A vertex's own weight that is not written down is what its row lacks to 1, then as now.
void make_lazy(MixingRound& round) {
  for (Arc& arc : round.arcs) arc.weight /= 2;
  for (double& weight : round.self_weights) weight = (1 + weight) / 2;
}

}  // namespace

std::span<const std::string_view> weight_rules() noexcept {
  return kRules;
}

void check_weight_rule(std::string_view rule) {
  if (std::find(kRules.begin(), kRules.end(), rule) == kRules.end()) refuse_unknown("weights", rule, kRules);
}

void set_weights(GossipGraph& graph, std::string_view rule, std::string_view spec) {
  if (rule == "given" && !graph.weighted) {
    fail(Status::argument, "weights=given, but topology ", spec, " comes without weights; valid are auto, metropolis, ",
         "uniform, out-uniform, max-degree, laplacian, lazy");
  }
  if (rule == "given" || (rule == "auto" && graph.weighted)) return;
  refuse_misfit(graph, rule, spec);
  if (rule == "lazy") {
    set_weights(graph, "auto", spec);
    return make_lazy(graph.rounds.front());
  }
  const Degrees degrees(graph);
  if (rule == "auto") rule = choose(graph, degrees);
  MixingRound& round = graph.rounds.front();
  round.self_weights.clear();
  if (rule == "laplacian") {
    const LaplacianRange range = laplacian_range(graph);
    for (Arc& arc : round.arcs) arc.weight = range.best_weight();
    return;
  }
  for (Arc& arc : round.arcs) arc.weight = weight_of(arc, degrees, rule);
  if (rule != "out-uniform") return;
  for (const double degree : degrees.out) round.self_weights.push_back(1 / (1 + degree));
}

}  // namespace gossamer
