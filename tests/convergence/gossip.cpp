#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "lib/base/error.hpp"
#include "tests/convergence/gossip_report.hpp"
#include "tests/convergence/statistics.hpp"

/// Whether models learn by gossip as they do by all-reduces. See docs/gossip.md.
namespace gossamer::convergence {
namespace {

/// A directed graph with everybody's next rank, and for even ranks the third as well, until this ends.
class UnevenGraph {
 public:
  UnevenGraph() {
    const int file = mkstemp(path_);
    if (file < 0) throw std::runtime_error("cannot make a temporary file");
    std::FILE* const out = fdopen(file, "w");
    for (int rank = 0; rank < kGossipRanks; ++rank) {
      std::fprintf(out, "%d %d\n", rank, (rank + 1) % kGossipRanks);
      if (rank % 2 == 0) std::fprintf(out, "%d %d\n", rank, (rank + 3) % kGossipRanks);
    }
    std::fclose(out);
  }
  UnevenGraph(const UnevenGraph&) = delete;
  UnevenGraph& operator=(const UnevenGraph&) = delete;
  ~UnevenGraph() { std::remove(path_); }

  [[nodiscard]] std::string spec() const { return std::string("file:") + path_ + ",directed=on"; }

 private:
  char path_[32] = "/tmp/gossamer-graph-XXXXXX";
};

/// Trains, and remembers what the dense all-reduce comes to in so many steps.
class Laboratory {
 public:
  explicit Laboratory(const Digits& digits) : digits_(digits) {}

  GossipOutcome run(const GossipMethod& method, int checkpoints = 1) {
    const std::string topology = method.topology == kUneven ? uneven_.spec() : std::string(method.topology);
    return train({std::string(method.mixing), topology, std::string(method.codec), kGossipSteps, checkpoints}, digits_);
  }
  const Standing& dense(int steps) {
    auto place = dense_.find(steps);
    if (place == dense_.end()) {
      const GossipRecipe recipe{std::string(kAllReduce), "ring", "identity", steps};
      place = dense_.emplace(steps, standing(train(recipe, digits_))).first;
    }
    return place->second;
  }
  GossipResult measure(const GossipMethod& method) {
    GossipResult result;
    result.method = &method;
    result.standing = standing(run(method));
    if (!(result.standing.bytes > 0)) return result;
    result.ratio = dense(kGossipSteps).bytes / result.standing.bytes;
    result.steps = std::max(1, static_cast<int>(std::lround(kGossipSteps / result.ratio)));
    result.same_bytes = dense(result.steps).mean;
    return result;
  }

 private:
  const Digits& digits_;
  UnevenGraph uneven_;
  std::map<int, Standing> dense_;
};

struct Arguments {
  bool markdown = false;
  std::string curves;  ///< file; empty: none
};

/// How the accuracy grows with the bytes, for scripts/gossip_plot.sh.
void write_curves(const std::string& path, Laboratory& laboratory) {
  std::ofstream out(path);
  out << "mixing\ttopology\tcodec\tkilobytes\tmean\tworst\n";
  for (const GossipMethod& method : gossip_methods()) {
    const GossipOutcome outcome = laboratory.run(method, kGossipSteps / 10);
    for (std::size_t at = 0; at < outcome.front().size(); ++at) {
      const Standing here = standing(outcome, at);
      out << method.mixing << '\t' << method.topology << '\t' << method.codec << '\t' << here.bytes / 1e3 << '\t'
          << here.mean << '\t' << here.worst << '\n';
    }
  }
  if (!out) throw std::runtime_error("cannot write " + path);
}

int run(const Arguments& arguments) {
  const auto dealt = load_digits(kDigitsFile, kGossipRanks);
  if (!dealt) {
    std::printf("skipped: %s is missing; Debian's package python3-sklearn has it\n", kDigitsFile);
    return kSkipped;
  }
  const Digits sorted = sorted_by_digit(*dealt);
  Laboratory of_dealt(*dealt);
  Laboratory of_sorted(sorted);
  if (!arguments.curves.empty()) {
    write_curves(arguments.curves, of_dealt);
    return 0;
  }
  std::vector<GossipResult> all;
  for (const GossipMethod& method : gossip_methods()) {
    all.push_back(of_dealt.measure(method));
    all.back().of_sorted = standing(of_sorted.run(method));
  }
  print(all, arguments.markdown);
  const std::vector<std::string> complaints = judge(all);
  for (const std::string& each : complaints) std::fprintf(stderr, "gossip: %s\n", each.c_str());
  return complaints.empty() ? 0 : 1;
}

}  // namespace
}  // namespace gossamer::convergence

int main(int argc, char** argv) {
  gossamer::convergence::Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--markdown") {
      arguments.markdown = true;
    } else if (argument == "--curves" && i + 1 < argc) {
      arguments.curves = argv[++i];
    } else {
      std::printf("usage: convergence_gossip [--markdown | --curves FILE]\n");
      return argument == "--help" || argument == "-h" ? 0 : 2;
    }
  }
  try {
    return gossamer::convergence::run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gossip: %s\n", error.what());
    return 1;
  }
}
