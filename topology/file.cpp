#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "lib/base/error.hpp"
#include "topology/entries.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/graph_file.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"directed", "off", "on: a line 'i j' lets rank i send to rank j only; off: both ways. Other formats say it"},
};

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(Status::argument, "topology file: cannot read '", path, "'");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

FileGraph parse(const std::string& path) {
  const std::string text = read_all(path);
  const std::string_view name = path;
  if (name.ends_with(".dot") || name.ends_with(".gv")) return read_dot(text, path);
  if (name.ends_with(".graphml")) return read_graphml(text, path);
  return read_edges(text, path);
}

// A rank, perhaps written n3 as GraphML's writers do.
std::size_t rank_of(const std::string& text, std::size_t size, const std::string& where) {
  const std::size_t skipped = text.starts_with('n') ? 1 : 0;
  std::size_t rank = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + skipped, last, rank);
  if (error != std::errc() || end != last || rank >= size) {
    fail(Status::argument, where, ": '", text, "' is not a rank; ranks are 0 to ", size - 1);
  }
  return rank;
}

double weight_of(const std::string& text, const std::string& where) {
  char* end = nullptr;
  const double weight = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(weight > 0) || weight > 1) {
    fail(Status::argument, where, ": '", text, "' is not a weight; weights are numbers in (0, 1]");
  }
  return weight;
}

// Ranks whose own weight the file leaves out keep what the others leave of 1.
void complete_own_weights(MixingRound& round, const std::string& path) {
  std::vector<double> rest(round.self_weights.size(), 1);
  for (const Arc& arc : round.arcs) rest[arc.to] -= arc.weight;
  for (std::size_t rank = 0; rank < rest.size(); ++rank) {
    if (!std::isnan(round.self_weights[rank])) continue;
    if (rest[rank] < -1e-9) {
      fail(Status::argument, path, ": what rank ", rank, " takes from others sums to ", 1 - rest[rank],
           "; with its own weight it sums to 1");
    }
    round.self_weights[rank] = std::max(rest[rank], 0.0);
  }
}

// Adds edges one by one, and refuses what makes no sense.
class Reader {
 public:
  Reader(GossipGraph& graph, const FileGraph& file, const std::string& path) : graph_(graph), file_(file), path_(path) {
    graph.rounds[0].self_weights.assign(graph.size, NAN);
  }

  void add(const FileEdge& edge) {
    const std::string where = path_ + ", " + edge.where;
    std::size_t from = rank_of(edge.from, graph_.size, where);
    std::size_t to = rank_of(edge.to, graph_.size, where);
    if (edge.weight.empty() == graph_.weighted) {
      fail(Status::argument, where, graph_.weighted ? " has no weight, but " : " has a weight, but ",
           file_.edges.front().where, graph_.weighted ? " has one" : " has none");
    }
    const double weight = graph_.weighted ? weight_of(edge.weight, where) : 0;
    if (!graph_.directed && from > to) std::swap(from, to);
    if (!seen_.insert({from, to}).second) fail(Status::argument, where, ": this edge is given twice");
    MixingRound& round = graph_.rounds[0];
    if (from == to) {
      if (!graph_.weighted) fail(Status::argument, where, ": rank ", from, " is no neighbour of its own");
      round.self_weights[from] = weight;
    } else if (graph_.directed) {
      round.arcs.push_back({from, to, weight});
    } else {
      link(round, from, to, weight);
    }
  }

 private:
  GossipGraph& graph_;
  const FileGraph& file_;
  const std::string& path_;
  std::set<std::pair<std::size_t, std::size_t>> seen_;
};

GossipGraph from_file(const Options& options, const Layout& layout) {
  if (options.items().size() != 1) {
    fail(Status::argument, "'", layout.spec, "' names no file; write file:PATH, where PATH has no comma");
  }
  const std::string& path = options.items().front();
  const FileGraph file = parse(path);
  GossipGraph graph{.size = layout.size,
                    .rounds = {{}},
                    .directed = file.directed || options.flag("directed"),
                    .weighted = !file.edges.empty() && !file.edges.front().weight.empty(),
                    .on_ranks = true};
  Reader reader(graph, file, path);
  for (const FileEdge& edge : file.edges) reader.add(edge);
  if (graph.weighted) {
    complete_own_weights(graph.rounds[0], path);
  } else {
    graph.rounds[0].self_weights.clear();
  }
  return graph;
}

}  // namespace

TopologyEntry file_entry() noexcept {
  return {.name = "file",
          .summary = "gossip: your own graph of ranks: .dot, .gv, .graphml, or lines 'rank rank [weight]'",
          .form = "file:PATH",
          .keys = kKeys,
          .takes_items = true,
          .make = from_file};
}

}  // namespace gossamer
