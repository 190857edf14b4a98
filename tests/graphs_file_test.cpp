// Graphs that users bring along.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/graphs_cases.hpp"

using namespace gossamer;
using namespace gossamer::test;

namespace {

/// A file that is there as long as the object.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& extension, const std::string& text)
      : path_((std::filesystem::temp_directory_path() / ("gossamer_graph_" + std::to_string(++count) + extension))
                  .string()) {
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] std::string spec() const { return "file:" + path_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  static inline int count = 0;
  std::string path_;
};

/// What is said about a file, with its path replaced by FILE.
std::string file_refusal(const std::string& extension, const std::string& text, std::size_t size,
                         const std::string& options = "") {
  const TemporaryFile file(extension, text);
  std::string said = graph_refusal(file.spec() + options, size);
  for (std::size_t at = said.find(file.path()); at != std::string::npos; at = said.find(file.path())) {
    said.replace(at, file.path().size(), "FILE");
  }
  return said;
}

double largest_difference(const Matrix& a, const Matrix& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a.size(); ++j) largest = std::max(largest, std::abs(a[i][j] - b[i][j]));
  }
  return largest;
}

std::string receivers(const Topology& topology, int rank) {
  std::string text;
  for (const Edge& edge : topology.at(rank, 0).out) text += std::to_string(edge.rank) + " ";
  return text;
}

}  // namespace

TEST_CASE("a square with a diagonal reads alike from all formats, and vertices are ranks wherever they run") {
  const TemporaryFile edges(".txt", "# a square\n0 1\n1 2\n\n2 3  # with a diagonal\n3 0\n0 2\n");
  const TemporaryFile dot(".dot", "graph g { node [shape=circle]; 0 -- 1 -- 2 -- 3 -- 0; 0 -- 2 /* diagonal */ }\n");
  const TemporaryFile gv(".gv", "graph { \"0\" -- \"1\"; 1 -- 2; 2 -- 3; 3 -- 0; 2 -- 0 [label=\"diagonal\"]; }\n");
  const TemporaryFile graphml(".graphml",
                              "<?xml version=\"1.0\"?><graphml><graph id=\"G\" edgedefault=\"undirected\">"
                              "<node id=\"n0\"/><node id=\"n1\"/><node id=\"n2\"/><node id=\"n3\"/>"
                              "<edge source=\"n0\" target=\"n1\"/><edge source=\"n1\" target=\"n2\"/>"
                              "<edge source=\"n2\" target=\"n3\"/><edge source=\"n3\" target=\"n0\"/>"
                              "<edge source=\"n0\" target=\"n2\"/></graph></graphml>");
  for (const TemporaryFile* file : {&edges, &dot, &gv, &graphml}) {
    INFO(file->path());
    const Topology topology = Topology::from_spec(file->spec(), std::vector<Place>{{1, 0}, {2, 0}, {1, 0}, {2, 0}});
    CHECK(receivers(topology, 0) == "1 2 3 ");
    CHECK(receivers(topology, 1) == "0 2 ");
    CHECK(receivers(topology, 2) == "0 1 3 ");
    CHECK(receivers(topology, 3) == "0 2 ");
    CHECK(topology.symmetric());
    CHECK(topology.at(1, 0).self_weight == doctest::Approx(0.5));  // 1 - 2 / (1 + 3)
  }
}

TEST_CASE("directed files: who sends to whom, with column-stochastic shares unless degrees are equal") {
  const TemporaryFile dot(".dot", "digraph { 0 -> 1 -> 2 -> 0; 0 -> 2 }");
  const TemporaryFile edges(".edges", "0 1\n1 2\n2 0\n0 2\n");
  const TemporaryFile graphml(".graphml",
                              "<graphml><graph edgedefault=\"directed\"><edge source=\"0\" target=\"1\"/>"
                              "<edge source=\"1\" target=\"2\"/><edge source=\"2\" target=\"0\"/>"
                              "<edge source=\"0\" target=\"2\"/></graph></graphml>");
  for (const std::string& spec : {dot.spec(), edges.spec() + ",directed=on", graphml.spec()}) {
    INFO(spec);
    const Topology topology = graph(spec, 3);
    CHECK(receivers(topology, 0) == "1 2 ");
    CHECK(receivers(topology, 1) == "2 ");
    CHECK(receivers(topology, 2) == "0 ");
    CHECK(topology.column_stochastic());
    CHECK_FALSE(topology.row_stochastic());
    CHECK(topology.at(0, 0).self_weight == doctest::Approx(1.0 / 3));
    CHECK(topology.at(2, 0).in[0].weight == doctest::Approx(1.0 / 3));
    CHECK(topology.at(2, 0).in[1].weight == doctest::Approx(0.5));
    CHECK(graph(spec, 3, {"uniform", 0}).row_stochastic());
  }
  const TemporaryFile cycle(".txt", "0 1\n1 2\n2 0\n");
  const Topology regular = graph(cycle.spec() + ",directed=on", 3);
  CHECK(regular.row_stochastic());
  CHECK(regular.column_stochastic());
}

TEST_CASE("weights of a file are kept, and replaced when a rule is asked for") {
  const TemporaryFile edges(".txt", "0 1 0.25\n1 2 0.5\n");
  const TemporaryFile dot(".dot", "graph { 0 -- 1 [weight=0.25]; 1 -- 2 [weight=\"0.5\"] }");
  const TemporaryFile graphml(".graphml",
                              "<graphml><key id=\"d1\" for=\"edge\" attr.name=\"weight\" attr.type=\"double\"/>"
                              "<graph edgedefault=\"undirected\"><edge source=\"0\" target=\"1\"><data key=\"d1\">0.25"
                              "</data></edge><edge source=\"1\" target=\"2\"><data key=\"d1\">0.5</data></edge></graph>"
                              "</graphml>");
  for (const TemporaryFile* file : {&edges, &dot, &graphml}) {
    for (const char* rule : {"auto", "given"}) {
      const Topology topology = graph(file->spec(), 3, {rule, 0});
      CHECK(topology.at(0, 0).self_weight == 0.75);
      CHECK(topology.at(1, 0).self_weight == 0.25);
      CHECK(topology.at(1, 0).in[1].weight == 0.5);
    }
    CHECK(graph(file->spec(), 3, {"metropolis", 0}).at(0, 0).self_weight == doctest::Approx(2.0 / 3));
  }
  const TemporaryFile own(".txt", "0 0 0.5\n1 1 0.1\n0 1 0.5\n1 0 0.9\n");
  CHECK(graph(own.spec() + ",directed=on", 2).at(1, 0).self_weight == 0.1);
}

TEST_CASE("lazy weights of a file's own ones, of degrees that differ, and of columns alone") {
  const TemporaryFile own(".txt", "0 0 0.5\n1 1 0.1\n0 1 0.5\n1 0 0.9\n");
  const TemporaryFile uneven(".txt", "0 1\n1 2\n2 0\n0 2\n");
  const TemporaryFile undirected(".txt", "0 1 0.25\n1 2 0.5\n");
  for (const std::string& spec : {own.spec() + ",directed=on", uneven.spec() + ",directed=on", undirected.spec()}) {
    const std::size_t size = spec.starts_with(own.spec()) ? 2 : 3;
    INFO(spec);
    const Topology topology = graph(spec, size);
    const Topology lazy = graph(spec, size, {"lazy", 0});
    Matrix expected = mixing_matrix(topology);
    for (std::size_t i = 0; i < size; ++i) {
      for (double& weight : expected[i]) weight /= 2;
      expected[i][i] += 0.5;
    }
    CHECK(largest_difference(mixing_matrix(lazy), expected) <= 1e-15);
    CHECK(lazy.row_stochastic() == topology.row_stochastic());
    CHECK(lazy.column_stochastic() == topology.column_stochastic());
  }
}

TEST_CASE("broken files are refused with the place and the reason") {
  CHECK(graph_refusal("file:/nowhere/graph.txt", 3) == "topology file: cannot read '/nowhere/graph.txt'");
  CHECK(graph_refusal("file", 3).find("names no file") != std::string::npos);
  CHECK(file_refusal(".txt", "0 1\n1\n", 3) == "FILE, line 2: '1' is not of the form 'rank rank [weight]'");
  CHECK(file_refusal(".txt", "0 1\n1 2 3 4\n", 3) == "FILE, line 2: '1 2 3 4' is not of the form 'rank rank [weight]'");
  CHECK(file_refusal(".txt", "0 1\n1 3\n", 3) == "FILE, line 2: '3' is not a rank; ranks are 0 to 2");
  CHECK(file_refusal(".txt", "0 -1\n", 3) == "FILE, line 1: '-1' is not a rank; ranks are 0 to 2");
  CHECK(file_refusal(".txt", "0 one\n", 3) == "FILE, line 1: 'one' is not a rank; ranks are 0 to 2");
  CHECK(file_refusal(".txt", "0 1\n1 0\n1 2\n", 3) == "FILE, line 2: this edge is given twice");
  CHECK(file_refusal(".txt", "0 0\n", 3) == "FILE, line 1: rank 0 is no neighbour of its own");
  CHECK(file_refusal(".txt", "0 1 0.5\n1 2\n", 3) == "FILE, line 2 has no weight, but line 1 has one");
  CHECK(file_refusal(".txt", "0 1\n1 2 0.5\n", 3) == "FILE, line 2 has a weight, but line 1 has none");
  for (const char* weight : {"0", "-0.5", "1.5", "nan", "heavy"}) {
    CHECK(file_refusal(".txt", std::string("0 1 ") + weight + "\n", 2) ==
          "FILE, line 1: '" + std::string(weight) + "' is not a weight; weights are numbers in (0, 1]");
  }
  CHECK(file_refusal(".txt", "0 1 0.7\n1 2 0.6\n", 3) ==
        "FILE: what rank 1 takes from others sums to 1.3; with its own weight it sums to 1");
  CHECK(file_refusal(".txt", "0 1\n2 3\n", 5) ==
        "topology file:FILE is not connected: ranks 2, 3, 4 and rank 0 cannot all hear from each other");
  CHECK(file_refusal(".txt", "0 1\n1 2\n", 3, ",directed=on").find("is not connected: ranks 1, 2 and rank 0") !=
        std::string::npos);
  CHECK(file_refusal(".txt", "", 2).find("is not connected: rank 1 and rank 0") != std::string::npos);
  CHECK(
      file_refusal(".txt", "0 0 0.5\n1 1 0.5\n2 2 0.5\n0 1 0.4\n1 2 0.4\n2 0 0.4\n", 3, ",directed=on") ==
      "topology file:FILE,directed=on: what rank 0 takes in sums to 0.9 and what rank 0 gives sums to 0.9; of a mixing "
      "matrix all rows or all columns sum to 1");
  CHECK(file_refusal(".dot", "graph { 0 -- ", 2) == "FILE is not a graph in Graphviz's language");
  CHECK(file_refusal(".dot", "hello", 2) == "FILE is not a graph in Graphviz's language");
  CHECK(file_refusal(".dot", "graph { a -- b }", 2) == "FILE, edge a - b: 'a' is not a rank; ranks are 0 to 1");
  CHECK(file_refusal(".graphml", "<graphml><graph>", 2).starts_with("FILE is not XML: "));
  CHECK(file_refusal(".graphml", "<xml/>", 2) == "FILE has no element <graphml><graph>");
  CHECK(file_refusal(".graphml", "<graphml><graph/></graphml>", 2) ==
        "FILE: edgedefault is ''; it is directed or undirected");
}

TEST_CASE("what to_dot writes can be read again") {
  const std::vector<Place> places = scattered_places(9, 3, 1, 5);
  const Topology ring = Topology::from_spec("ring", places);
  const TemporaryFile file(".dot", ring.to_dot(places));
  const Topology again = Topology::from_spec(file.spec(), places);
  CHECK(largest_difference(mixing_matrix(again), mixing_matrix(ring)) <= 1e-15);
  const Topology exponential = Topology::from_spec("exponential", places);
  const TemporaryFile directed(".gv", exponential.to_dot(places));
  CHECK(largest_difference(mixing_matrix(Topology::from_spec(directed.spec(), places)), mixing_matrix(exponential)) <=
        1e-15);
}
