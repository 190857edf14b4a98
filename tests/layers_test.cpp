// The rules of the source tree that no compiler checks: who may include whom, and that every test file is run.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

fs::path source_dir() {
#ifdef GOSSAMER_SOURCE_DIR
  return GOSSAMER_SOURCE_DIR;
#else
  return fs::absolute(__FILE__).parent_path().parent_path();
#endif
}

struct Rule {
  std::string_view folder;                    ///< the files it is about
  std::vector<std::string_view> may_include;  ///< how a project include must begin
};

// The most particular folder first: a file obeys the first rule that fits.
const std::vector<Rule>& rules() {
  static const std::vector<Rule> kRules = {
      {"lib/base/", {"lib/base/"}},
      {"lib/include/", {"gossamer/"}},
      {"lib/", {"lib/", "compress/", "topology/", "transport/", "gossamer/"}},
      {"compress/", {"lib/base/", "compress/"}},
      {"topology/", {"lib/base/", "topology/"}},
      {"transport/", {"lib/base/", "transport/"}},
  };
  return kRules;
}

// What is wrong with one line of the file at `path` (relative to the root); empty when nothing is.
std::string wrong_include(const std::string& path, const std::string& line) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  std::smatch found;
  if (!std::regex_search(line, found, kInclude)) return {};
  const std::string target = found[2];
  if (target.starts_with("ucp/") || target.starts_with("uct/") || target.starts_with("ucs/")) {
    return path.starts_with("transport/ucx/") ? "" : path + " includes " + target + ", which transport/ucx/ alone may";
  }
  if (target.starts_with("boost/") || target.starts_with("Eigen/")) {
    return path.ends_with(".cpp") ? "" : path + " includes " + target + ", which belongs in a .cpp file";
  }
  if (found[1] == "<" && !target.starts_with("gossamer/")) return {};
  const auto rule =
      std::find_if(rules().begin(), rules().end(), [&](const Rule& each) { return path.starts_with(each.folder); });
  if (rule == rules().end()) return {};
  const bool allowed = std::any_of(rule->may_include.begin(), rule->may_include.end(),
                                   [&](std::string_view prefix) { return target.starts_with(prefix); });
  return allowed ? "" : path + " includes " + target + ", which " + std::string(rule->folder) + " may not";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool is_source(const fs::path& path) {
  constexpr std::array<std::string_view, 4> kExtensions = {".cpp", ".hpp", ".h", ".c"};
  return std::find(kExtensions.begin(), kExtensions.end(), path.extension().string()) != kExtensions.end();
}

// Paths relative to the root; none when there is no such folder.
std::vector<std::string> sources_below(const std::string& folder) {
  std::vector<std::string> paths;
  if (!fs::exists(source_dir() / folder)) return paths;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / folder)) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    paths.push_back(fs::relative(entry.path(), source_dir()).generic_string());
  }
  return paths;
}

std::vector<std::string> test_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(source_dir() / "tests")) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with("_test.cpp")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// What this executable says about its test cases, each with its file.
std::string own_test_cases() {
  const std::string self = fs::read_symlink("/proc/self/exe").string();
  const std::string command = "'" + self + "' --list-test-cases --reporters=xml";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  REQUIRE(pipe != nullptr);
  std::string text;
  std::array<char, 4096> piece{};
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), pipe.get())) text.append(piece.data(), got);
  return text;
}

}  // namespace

TEST_CASE("layers include downwards only") {
  for (const char* folder : {"lib", "compress", "topology", "transport"}) {
    const std::vector<std::string> files = sources_below(folder);
    CHECK_FALSE(files.empty());
    for (const std::string& path : files) {
      std::ifstream file(source_dir() / path);
      for (std::string line; std::getline(file, line);) CHECK(wrong_include(path, line) == "");
    }
  }
}

TEST_CASE("no source file is longer than 400 lines") {
  for (const char* folder : {"lib", "compress", "topology", "transport", "tools", "examples", "bindings", "tests"}) {
    for (const std::string& path : sources_below(folder)) {
      INFO(path);
      std::ifstream file(source_dir() / path);
      CHECK(std::count(std::istreambuf_iterator<char>(file), {}, '\n') <= 400);
    }
  }
}

// Two classes of one name are one to the linker, which may take the wrong one's functions.
TEST_CASE("no two headers define a class of the same name in the same namespace") {
  static const std::regex kNamespace(R"re(^namespace ([a-z:_]+) \{)re");
  static const std::regex kClass(R"re(^(?:class|struct|enum class) (\w+)(?: final)?(?: : [^;]*)? \{)re");
  std::map<std::string, std::string> first;
  for (const char* folder : {"lib", "compress", "topology", "transport", "tools"}) {
    for (const std::string& path : sources_below(folder)) {
      if (!path.ends_with(".hpp")) continue;
      std::ifstream file(source_dir() / path);
      std::string around;
      std::smatch found;
      for (std::string line; std::getline(file, line);) {
        if (std::regex_search(line, found, kNamespace)) around = found[1];
        if (!std::regex_search(line, found, kClass)) continue;
        const auto [place, fresh] = first.emplace(around + "::" + found[1].str(), path);
        INFO(place->first, " is in ", place->second, " and in ", path);
        CHECK(fresh);
      }
    }
  }
  CHECK(first.size() > 100);
}

TEST_CASE("the include check knows right from wrong") {
  CHECK(wrong_include("compress/topk.cpp", "#include \"lib/base/error.hpp\"") == "");
  CHECK(wrong_include("compress/topk.cpp", "#include \"compress/codec.hpp\"") == "");
  CHECK(wrong_include("compress/topk.cpp", "#include <vector>") == "");
  CHECK(wrong_include("compress/topk.cpp", "// #include \"lib/engine.hpp\"") == "");
  CHECK(wrong_include("lib/engine.cpp", "#include \"transport/transport.hpp\"") == "");
  CHECK(wrong_include("transport/ucx/endpoint.cpp", "#include <ucp/api/ucp.h>") == "");
  CHECK(wrong_include("compress/topk.cpp", "#include \"transport/transport.hpp\"") ==
        "compress/topk.cpp includes transport/transport.hpp, which compress/ may not");
  CHECK(wrong_include("compress/topk.cpp", "  #  include \"lib/engine.hpp\"") != "");
  CHECK(wrong_include("topology/graph.cpp", "#include \"compress/codec.hpp\"") != "");
  CHECK(wrong_include("topology/graph.cpp", "#include \"topology.hpp\"") != "");
  CHECK(wrong_include("topology/graph.cpp", "#include \"../lib/engine.hpp\"") != "");
  CHECK(wrong_include("transport/inproc/endpoint.cpp", "#include <gossamer/gossamer.h>") != "");
  CHECK(wrong_include("transport/inproc/endpoint.cpp", "#include <ucp/api/ucp.h>") != "");
  CHECK(wrong_include("lib/engine.cpp", "#include <ucp/api/ucp.h>") != "");
  CHECK(wrong_include("topology/graph.cpp", "#include <boost/graph/subgraph.hpp>") == "");
  CHECK(wrong_include("topology/graph.hpp", "#include <boost/graph/subgraph.hpp>") != "");
  CHECK(wrong_include("lib/engine.cpp", "#include \"tests/run_ranks.hpp\"") != "");
  CHECK(wrong_include("lib/base/spec.cpp", "#include \"lib/engine.hpp\"") != "");
  CHECK(wrong_include("lib/base/spec.cpp", "#include \"topology/topology.hpp\"") != "");
  CHECK(wrong_include("lib/include/gossamer/gossamer.h", "#include \"lib/base/error.hpp\"") != "");
}

TEST_CASE("every test file on disk has test cases in this executable") {
  const std::string listed = own_test_cases();
  const std::vector<std::string> files = test_files();
  CHECK(std::find(files.begin(), files.end(), "layers_test.cpp") != files.end());
  for (const std::string& file : files) {
    INFO(file, " is on disk but contributes no test case; configure again, or write one");
    CHECK(contains(listed, "/" + file + "\""));
  }
}

#ifdef GOSSAMER_BINARY_DIR
TEST_CASE("every test file on disk is run by ctest") {
  std::ifstream file(fs::path(GOSSAMER_BINARY_DIR) / "tests" / "CTestTestfile.cmake");
  REQUIRE(file.good());
  std::ostringstream registered;
  registered << file.rdbuf();
  for (const std::string& name : test_files()) {
    INFO(name, " is on disk but is not run; configure again");
    CHECK(contains(registered.str(), "\"--source-file=*/" + name + "\""));
  }
}
#endif
