// What needs the graph as an object: Boost.Graph stays in this file.
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/connected_components.hpp>
#include <boost/graph/graphviz.hpp>
#include <boost/graph/subgraph.hpp>
#include <map>
#include <sstream>

#include "lib/base/error.hpp"
#include "topology/topology.hpp"

namespace gossamer {
namespace {

using Attributes = std::map<std::string, std::string>;
using VertexProperty = boost::property<boost::vertex_attribute_t, Attributes>;
using EdgeProperty = boost::property<boost::edge_index_t, int, boost::property<boost::edge_attribute_t, Attributes>>;
using GraphProperty =
    boost::property<boost::graph_name_t, std::string,
                    boost::property<boost::graph_graph_attribute_t, Attributes,
                                    boost::property<boost::graph_vertex_attribute_t, Attributes,
                                                    boost::property<boost::graph_edge_attribute_t, Attributes>>>>;
using Graph = boost::subgraph<
    boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, VertexProperty, EdgeProperty, GraphProperty>>;

// Vertices are ranks; each edge once.
void add_edges(const Topology& topology, Graph& graph) {
  for (int rank = 0; rank < topology.size(); ++rank) {
    for (int other : topology.neighbours(rank)) {
      if (rank < other) boost::add_edge(static_cast<std::size_t>(rank), static_cast<std::size_t>(other), graph);
    }
  }
}

void add_host(const std::vector<int>& ranks, const std::string& label, Graph& graph) {
  Graph& host = graph.create_subgraph();
  for (int rank : ranks) boost::add_vertex(static_cast<std::size_t>(rank), host);
  boost::get_property(host, boost::graph_name) = "cluster_" + label;
  boost::get_property(host, boost::graph_graph_attribute)["label"] = "host " + label;
}

}  // namespace

bool Topology::connected() const {
  Graph graph(order_.size());
  add_edges(*this, graph);
  std::vector<int> component(order_.size());
  return boost::connected_components(graph, component.data()) == 1;
}

std::string Topology::to_dot(std::span<const Place> places) const {
  if (places.size() != order_.size()) {
    fail(Status::argument, "to_dot: ", places.size(), " places are given for ", order_.size(), " ranks");
  }
  Graph graph(order_.size());
  boost::get_property(graph, boost::graph_name) = "gossamer";
  boost::get_property(graph, boost::graph_graph_attribute)["label"] = spec_;
  boost::get_property(graph, boost::graph_vertex_attribute)["shape"] = "circle";
  add_edges(*this, graph);
  // Positions keep a host's ranks together, so a host ends where the next one begins.
  std::vector<int> ranks;
  int hosts = 0;
  for (std::size_t position = 0; position < order_.size(); ++position) {
    ranks.push_back(order_[position]);
    const auto host = [&](std::size_t at) { return places[static_cast<std::size_t>(order_[at])].host; };
    if (position + 1 < order_.size() && host(position + 1) == host(position)) continue;
    add_host(ranks, std::to_string(hosts++), graph);
    ranks.clear();
  }
  std::ostringstream text;
  boost::write_graphviz(text, graph);
  return std::move(text).str();
}

}  // namespace gossamer
