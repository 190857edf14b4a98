#include "topology/graph_file.hpp"

// The parser that comes compiled in libboost_graph would make every process load that library and ICU.
#define BOOST_GRAPH_USE_SPIRIT_PARSER
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/graphviz.hpp>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <map>
#include <sstream>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

std::string unquoted(const std::string& text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return text;
  return text.substr(1, text.size() - 2);
}

FileEdge named_edge(std::string from, std::string to, std::string weight) {
  std::string where = "edge " + from + " - " + to;
  return {std::move(from), std::move(to), std::move(weight), std::move(where)};
}

// Nothing when the text is no graph of this direction.
template <typename Direction>
bool parse_dot(const std::string& text, FileGraph& result) {
  using Graph =
      boost::adjacency_list<boost::vecS, boost::vecS, Direction, boost::property<boost::vertex_name_t, std::string>,
                            boost::property<boost::edge_weight_t, std::string>>;
  Graph graph;
  boost::dynamic_properties properties(boost::ignore_other_properties);
  properties.property("node_id", boost::get(boost::vertex_name, graph));
  properties.property("weight", boost::get(boost::edge_weight, graph));
  if (!boost::read_graphviz(text.begin(), text.end(), graph, properties, "node_id")) return false;
  const auto name = [&](auto vertex) { return unquoted(boost::get(boost::vertex_name, graph, vertex)); };
  for (auto [edge, end] = boost::edges(graph); edge != end; ++edge) {
    result.edges.push_back(named_edge(name(boost::source(*edge, graph)), name(boost::target(*edge, graph)),
                                      unquoted(boost::get(boost::edge_weight, graph, *edge))));
  }
  return true;
}

using Tree = boost::property_tree::ptree;

// By find(), since a dot in the name of an attribute would make a path for get().
std::string attribute(const Tree& element, const char* name) {
  const auto attributes = element.find("<xmlattr>");
  if (attributes == element.not_found()) return {};
  const auto found = attributes->second.find(name);
  return found == attributes->second.not_found() ? std::string() : found->second.data();
}

// The id of the key under which edges carry their weights; empty when they do not.
std::string weight_key(const Tree& root) {
  for (const auto& [tag, key] : root) {
    if (tag == "key" && attribute(key, "attr.name") == "weight" && attribute(key, "for") != "node") {
      return attribute(key, "id");
    }
  }
  return {};
}

std::string weight_of(const Tree& edge, const std::string& key) {
  for (const auto& [tag, data] : edge) {
    if (tag == "data" && attribute(data, "key") == key) return data.data();
  }
  return {};
}

}  // namespace

FileGraph read_edges(const std::string& text, const std::string& path) {
  FileGraph graph;
  std::istringstream lines(text);
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    FileEdge edge{{}, {}, {}, sentence("line ", number)};
    if (!(words >> edge.from)) continue;
    std::string more;
    words >> edge.to >> edge.weight >> more;
    if (edge.to.empty() || !more.empty()) {
      fail(Status::argument, path, ", ", edge.where, ": '", line, "' is not of the form 'rank rank [weight]'");
    }
    graph.edges.push_back(std::move(edge));
  }
  return graph;
}

FileGraph read_dot(const std::string& text, const std::string& path) {
  FileGraph graph;
  bool parsed = false;
  try {
    try {
      parsed = parse_dot<boost::undirectedS>(text, graph);
    } catch (const boost::directed_graph_error&) {
      graph = {.edges = {}, .directed = true};
      parsed = parse_dot<boost::bidirectionalS>(text, graph);
    }
  } catch (const std::exception& error) {
    fail(Status::argument, path, " is not a graph in Graphviz's language: ", error.what());
  }
  if (!parsed) fail(Status::argument, path, " is not a graph in Graphviz's language");
  return graph;
}

FileGraph read_graphml(const std::string& text, const std::string& path) {
  Tree tree;
  std::istringstream stream(text);
  try {
    boost::property_tree::read_xml(stream, tree);
  } catch (const boost::property_tree::xml_parser_error& error) {
    fail(Status::argument, path, " is not XML: ", error.message(), " in line ", error.line());
  }
  const auto root = tree.get_child_optional("graphml");
  const auto element = tree.get_child_optional("graphml.graph");
  if (!root || !element) fail(Status::argument, path, " has no element <graphml><graph>");
  FileGraph graph;
  const std::string direction = attribute(*element, "edgedefault");
  if (direction != "directed" && direction != "undirected") {
    fail(Status::argument, path, ": edgedefault is '", direction, "'; it is directed or undirected");
  }
  graph.directed = direction == "directed";
  const std::string key = weight_key(*root);
  for (const auto& [tag, edge] : *element) {
    if (tag != "edge") continue;
    graph.edges.push_back(named_edge(attribute(edge, "source"), attribute(edge, "target"), weight_of(edge, key)));
  }
  return graph;
}

}  // namespace gossamer
