#pragma once

#include <string>
#include <vector>

namespace gossamer {

/// One edge as a file says it: vertices and weight are still text.
struct FileEdge {
  std::string from;
  std::string to;
  std::string weight;  ///< empty: none
  std::string where;   ///< "line 3", or "edge 0 - 1", for messages
};

/// A graph as a file has it.
struct FileGraph {
  std::vector<FileEdge> edges;
  bool directed = false;
};

/// Each parses the text of a file called `path`; throws `argument`, naming the path and what is wrong.
FileGraph read_edges(const std::string& text, const std::string& path);    ///< lines "i j [weight]", # comments
FileGraph read_dot(const std::string& text, const std::string& path);      ///< Graphviz; edge attribute weight
FileGraph read_graphml(const std::string& text, const std::string& path);  ///< edge data whose attr.name is weight

}  // namespace gossamer
