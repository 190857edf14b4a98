#include "tools/topology.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "lib/base/error.hpp"
#include "tools/codecs.hpp"

namespace gossamer::tools {
namespace {

/// One payload of one rank, from normal values.
double payload_bytes(const TopologyOptions& options) {
  if (options.bytes != 0) return static_cast<double>(options.bytes);
  if (Spec::parse(options.codec).name == "identity") return 4 * static_cast<double>(options.count);
  CodecsOptions codecs;
  codecs.count = options.count;
  return measure_codec(options.codec, normal_values(codecs), codecs).payload_bytes;
}

TopologyRow examine(const std::string& spec, const TopologyOptions& options, const GossipJob& job) {
  Topology topology = Topology::from_spec(spec, places_of(options), {options.weights, options.seed, &job.links});
  const Diagnosis diagnosis = diagnose(topology, job);
  return {std::move(topology), diagnosis};
}

/// Shapes for topologies that want one: the two factors nearest to a square.
std::string nearest_shape(int ranks) {
  int rows = 1;
  for (int divisor = 1; divisor * divisor <= ranks; ++divisor) {
    if (ranks % divisor == 0) rows = divisor;
  }
  return sentence(":", rows, "x", ranks / rows);
}

/// Every topology with its defaults, unless there is none for so many ranks.
std::vector<TopologyRow> examine_all(const TopologyOptions& options, const GossipJob& job) {
  std::vector<TopologyRow> rows;
  for (const TopologyEntry& entry : topologies()) {
    if (entry.name == "file") continue;
    std::string spec(entry.name);
    if (entry.name == "torus" || entry.name == "moshpit") spec += nearest_shape(options.ranks);
    try {
      rows.push_back(examine(spec, options, job));
    } catch (const Error& error) {
      std::fprintf(stderr, "gossamer: left out: %s\n", error.what());
    }
  }
  return rows;
}

/// Between hosts as the options say, within them as is usual. On one host every rank is as if it had one to itself.
Links links_of(const TopologyOptions& options) {
  const Link link{options.latency_us * 1e-6, options.bandwidth * 1e9};
  return options.hosts == 1 ? Links::uniform(link) : Links(places_of(options), kSupposedWithinHost, link);
}

void draw(const Topology& topology, const TopologyOptions& options) {
  if (options.svg.empty() && options.dot.empty()) return;
  const std::string dot = topology.to_dot(places_of(options));
  if (!options.dot.empty() && !(std::ofstream(options.dot) << dot)) {
    fail(Status::system, "cannot write '", options.dot, "'");
  }
  const std::string program = !options.layout.empty() ? options.layout : options.hosts > 1 ? "fdp" : "circo";
  if (!options.svg.empty()) draw_svg(dot, program, options.svg);
}

}  // namespace

std::vector<Place> places_of(const TopologyOptions& options) {
  std::vector<Place> places(static_cast<std::size_t>(options.ranks));
  for (std::size_t rank = 0; rank < places.size(); ++rank) {
    places[rank].host = rank * static_cast<std::size_t>(options.hosts) / places.size();
  }
  return places;
}

int run_topology(const TopologyOptions& options) {
  if (options.spec.empty() && options.compare.empty()) {
    fail(Status::argument, "gossamer topology needs a spec, such as base:k=1, or --compare");
  }
  if (options.hosts > options.ranks) {
    fail(Status::argument, "--hosts ", options.hosts, " is more than --ranks ", options.ranks);
  }
  const GossipJob job{payload_bytes(options), links_of(options)};
  std::vector<TopologyRow> rows;
  if (!options.spec.empty()) {
    rows.push_back(examine(options.spec, options, job));
    draw(rows.front().topology, options);
  }
  if (options.compare.empty()) {
    print_topology(options, job, rows.front());
    return 0;
  }
  for (const std::string& spec : options.compare) {
    if (spec == "all") {
      const std::vector<TopologyRow> all = examine_all(options, job);
      rows.insert(rows.end(), all.begin(), all.end());
    } else {
      rows.push_back(examine(spec, options, job));
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const TopologyRow& a, const TopologyRow& b) {
    return a.diagnosis.seconds < b.diagnosis.seconds;
  });
  print_comparison(options, job, rows);
  return 0;
}

}  // namespace gossamer::tools
