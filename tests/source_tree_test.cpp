#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path root = GOSSAMER_SOURCE_DIR;

std::vector<fs::path> sources_below(const std::string& folder) {
  std::vector<fs::path> found;
  if (!fs::exists(root / folder)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    const std::string type = entry.path().extension();
    if (entry.is_regular_file() && (type == ".hpp" || type == ".cpp" || type == ".h" || type == ".c")) {
      found.push_back(entry.path());
    }
  }
  return found;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// What `line` includes between quotes or angle brackets; empty if it includes nothing.
std::string included(const std::string& line) {
  if (line.rfind("#include ", 0) != 0) return {};
  const auto begin = line.find_first_of("<\"", 8);
  const auto end = line.find_first_of(">\"", begin + 1);
  return line.substr(begin + 1, end - begin - 1);
}

bool starts_with_any(const std::string& text, const std::set<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    if (text.rfind(prefix, 0) == 0) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the layers below lib include lib/base and themselves, never each other") {
  const std::set<std::string> all = {"lib/", "compress/", "topology/", "transport/", "gossamer/", "tools/", "tests/"};
  for (const std::string layer : {"compress", "topology", "transport", "lib/base"}) {
    const auto files = sources_below(layer);
    CHECK_FALSE(files.empty());
    for (const fs::path& file : files) {
      for (const std::string& line : lines_of(file)) {
        const std::string header = included(line);
        if (!starts_with_any(header, all)) continue;
        INFO(file.string(), " includes ", header);
        CHECK(starts_with_any(header, {"lib/base/", layer + "/"}));
      }
    }
  }
}

TEST_CASE("UCX is known in transport/ucx only, and Boost in sources only") {
  for (const std::string folder : {"lib", "compress", "topology", "transport", "tests", "tools"}) {
    for (const fs::path& file : sources_below(folder)) {
      const bool may_use_ucx = file.string().find("ucx") != std::string::npos;
      for (const std::string& line : lines_of(file)) {
        const std::string header = included(line);
        INFO(file.string(), " includes ", header);
        if (!may_use_ucx) CHECK_FALSE(starts_with_any(header, {"ucp/", "uct/", "ucs/"}));
        if (file.extension() != ".cpp") CHECK_FALSE(starts_with_any(header, {"boost/", "Eigen/"}));
      }
    }
  }
}

TEST_CASE("every test on disk is part of this executable") {
  std::istringstream registered(GOSSAMER_TEST_NAMES);
  std::set<std::string> names;
  for (std::string name; std::getline(registered, name, ' ');) names.insert(name);
  for (const fs::path& file : sources_below("tests")) {
    const std::string name = file.stem();
    if (file.extension() != ".cpp" || !name.ends_with("_test")) continue;
    INFO(file.string());
    CHECK(names.contains(name));
  }
}

TEST_CASE("no source file is longer than 400 lines") {
  for (const std::string folder : {"lib", "compress", "topology", "transport", "tools", "examples", "tests"}) {
    for (const fs::path& file : sources_below(folder)) {
      INFO(file.string());
      CHECK(lines_of(file).size() <= 400);
    }
  }
}
