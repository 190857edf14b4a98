// What needs the graph as an object: Boost.Graph's algorithms and its Graphviz writer.
#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/graphviz.hpp>
#include <boost/graph/strong_components.hpp>
#include <boost/graph/subgraph.hpp>
#include <map>
#include <set>
#include <sstream>

#include "lib/base/error.hpp"
#include "topology/gossip_graph.hpp"
#include "topology/topology.hpp"

namespace gossamer {
namespace {

using Arcs = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;

// Vertices that are not in one strong component with the first.
std::vector<std::size_t> apart_from_first(const Arcs& graph) {
  std::vector<int> component(boost::num_vertices(graph));
  boost::strong_components(graph,
                           boost::make_iterator_property_map(component.begin(), get(boost::vertex_index, graph)));
  std::vector<std::size_t> apart;
  for (std::size_t vertex = 1; vertex < component.size(); ++vertex) {
    if (component[vertex] != component[0]) apart.push_back(vertex);
  }
  return apart;
}

// Vertices are ranks; an arc wherever values travel in some round.
Arcs arcs_of(const Topology& topology) {
  Arcs graph(static_cast<std::size_t>(topology.size()));
  for (int rank = 0; rank < topology.size(); ++rank) {
    std::set<int> receivers;
    for (std::uint64_t round = 0; round < topology.period(); ++round) {
      for (const Edge& edge : topology.at(rank, round).out) receivers.insert(edge.rank);
    }
    for (const int other : receivers) {
      boost::add_edge(static_cast<std::size_t>(rank), static_cast<std::size_t>(other), graph);
    }
  }
  return graph;
}

using Attributes = std::map<std::string, std::string>;
using VertexProperty = boost::property<boost::vertex_attribute_t, Attributes>;
using EdgeProperty = boost::property<boost::edge_index_t, int, boost::property<boost::edge_attribute_t, Attributes>>;
using GraphProperty =
    boost::property<boost::graph_name_t, std::string,
                    boost::property<boost::graph_graph_attribute_t, Attributes,
                                    boost::property<boost::graph_vertex_attribute_t, Attributes,
                                                    boost::property<boost::graph_edge_attribute_t, Attributes>>>>;
template <typename Direction>
using Drawing = boost::subgraph<
    boost::adjacency_list<boost::vecS, boost::vecS, Direction, VertexProperty, EdgeProperty, GraphProperty>>;

// The rounds in which an arc exists, "0,3".
std::map<std::pair<int, int>, std::string> rounds_by_arc(const Topology& topology) {
  std::map<std::pair<int, int>, std::string> rounds;
  for (std::uint64_t round = 0; round < topology.period(); ++round) {
    for (int rank = 0; rank < topology.size(); ++rank) {
      for (const Edge& edge : topology.at(rank, round).out) {
        std::string& text = rounds[{rank, edge.rank}];
        text += (text.empty() ? "" : ",") + std::to_string(round);
      }
    }
  }
  return rounds;
}

// Arcs that have their opposites in the same rounds are drawn as one edge.
bool all_both_ways(const std::map<std::pair<int, int>, std::string>& rounds) {
  return std::all_of(rounds.begin(), rounds.end(), [&](const auto& arc) {
    const auto opposite = rounds.find({arc.first.second, arc.first.first});
    return opposite != rounds.end() && opposite->second == arc.second;
  });
}

template <typename Graph>
void add_host(const std::vector<int>& ranks, const std::string& label, Graph& graph) {
  Graph& host = graph.create_subgraph();
  for (int rank : ranks) boost::add_vertex(static_cast<std::size_t>(rank), host);
  boost::get_property(host, boost::graph_name) = "cluster_" + label;
  boost::get_property(host, boost::graph_graph_attribute)["label"] = "host " + label;
}

// Positions keep a host's ranks together, so a host ends where the next one begins.
template <typename Graph>
void add_hosts(const Topology& topology, std::span<const Place> places, Graph& graph) {
  std::vector<int> ranks;
  int hosts = 0;
  const auto size = static_cast<std::size_t>(topology.size());
  for (std::size_t position = 0; position < size; ++position) {
    ranks.push_back(topology.rank_at(position));
    const auto host = [&](std::size_t at) { return places[static_cast<std::size_t>(topology.rank_at(at))].host; };
    if (position + 1 < size && host(position + 1) == host(position)) continue;
    add_host(ranks, std::to_string(hosts++), graph);
    ranks.clear();
  }
}

template <typename Direction>
std::string draw(const Topology& topology, std::span<const Place> places,
                 const std::map<std::pair<int, int>, std::string>& rounds) {
  constexpr bool kUndirected = std::is_same_v<Direction, boost::undirectedS>;
  Drawing<Direction> graph(static_cast<std::size_t>(topology.size()));
  boost::get_property(graph, boost::graph_name) = "gossamer";
  boost::get_property(graph, boost::graph_graph_attribute)["label"] = topology.spec();
  boost::get_property(graph, boost::graph_vertex_attribute)["shape"] = "circle";
  for (const auto& [arc, label] : rounds) {
    if (kUndirected && arc.first > arc.second) continue;
    const auto edge =
        boost::add_edge(static_cast<std::size_t>(arc.first), static_cast<std::size_t>(arc.second), graph).first;
    if (topology.period() > 1) boost::get(boost::edge_attribute, graph)[edge]["label"] = label;
  }
  add_hosts(topology, places, graph);
  std::ostringstream text;
  boost::write_graphviz(text, graph);
  return std::move(text).str();
}

}  // namespace

std::vector<std::size_t> cut_off(const GossipGraph& graph) {
  Arcs arcs(graph.size);
  for (const MixingRound& round : graph.rounds) {
    for (const Arc& arc : round.arcs) boost::add_edge(arc.from, arc.to, arcs);
  }
  return apart_from_first(arcs);
}

bool Topology::connected() const {
  return apart_from_first(arcs_of(*this)).empty();
}

int Topology::diameter() const {
  const Arcs graph = arcs_of(*this);
  int longest = 0;
  for (std::size_t start = 0; start < order_.size(); ++start) {
    std::vector<int> distance(order_.size(), 0);
    const auto distances = boost::make_iterator_property_map(distance.begin(), get(boost::vertex_index, graph));
    boost::breadth_first_search(
        graph, start,
        boost::visitor(boost::make_bfs_visitor(boost::record_distances(distances, boost::on_tree_edge()))));
    longest = std::max(longest, *std::max_element(distance.begin(), distance.end()));
  }
  return longest;
}

std::string Topology::to_dot(std::span<const Place> places) const {
  if (places.size() != order_.size()) {
    fail(Status::argument, "to_dot: ", places.size(), " places are given for ", order_.size(), " ranks");
  }
  const std::map<std::pair<int, int>, std::string> rounds = rounds_by_arc(*this);
  return all_both_ways(rounds) ? draw<boost::undirectedS>(*this, places, rounds)
                               : draw<boost::bidirectionalS>(*this, places, rounds);
}

}  // namespace gossamer
