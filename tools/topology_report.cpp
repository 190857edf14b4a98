#include <cmath>
#include <cstdio>

#include "tools/json.hpp"
#include "tools/table.hpp"
#include "tools/topology.hpp"

namespace gossamer::tools {
namespace {

std::string milliseconds(double seconds) {
  return std::isfinite(seconds) ? formatted("%.3f", seconds * 1e3) : "never";
}

std::string rounds_cell(const Diagnosis& diagnosis) {
  if (!std::isfinite(diagnosis.rounds)) return "never";
  return formatted("%.0f", diagnosis.rounds) + (diagnosis.exact ? " exact" : "");
}

std::string range_of(const Range& range) {
  const std::string least = std::to_string(range.least);
  return range.least == range.most ? least : least + " to " + std::to_string(range.most);
}

std::string dimensions_of(const Topology& topology) {
  std::string text;
  for (const Dimension& dimension : topology.dimensions()) {
    text += (text.empty() ? "" : " x ") + std::string(dimension.direct ? "direct(" : "ring(") +
            std::to_string(dimension.size) + ")";
  }
  return text.empty() ? "none" : text;
}

std::string sums_of(const Topology& topology) {
  if (topology.row_stochastic() && topology.column_stochastic()) {
    return topology.symmetric() ? "symmetric, rows and columns sum to 1" : "rows and columns sum to 1";
  }
  return topology.row_stochastic() ? "rows sum to 1, columns do not: the mean drifts"
                                   : "columns sum to 1, rows do not: for push-sum";
}

// An eigenvalue λ < 0 limits steps to (1 + |λ|) / |λ| over the curvature; without mixing, a momentum of 0.9 limits them
// to 38 over it, which is less from here on.
constexpr double kToleratedByMomentum = -1.0 / 37;

void print_line(const char* name, const std::string& value) {
  std::printf("  %-18s %s\n", name, value.c_str());
}

std::string job_text(const TopologyOptions& options, const GossipJob& job) {
  const std::string links = options.hosts > 1 ? job.links.text()
                                              : "links of " + formatted("%g us", options.latency_us) + " and " +
                                                    formatted("%g GB/s", options.bandwidth);
  return formatted("%.0f B", job.payload_bytes) + " to each receiver, " + links;
}

void write_row(JsonWriter& out, const TopologyRow& row) {
  const Diagnosis& diagnosis = row.diagnosis;
  out.text("spec", row.topology.spec());
  out.text("chosen", row.topology.reason());
  out.text("dimensions", dimensions_of(row.topology));
  out.integer("period", row.topology.period());
  out.flag("symmetric", row.topology.symmetric());
  out.flag("row_stochastic", row.topology.row_stochastic());
  out.flag("column_stochastic", row.topology.column_stochastic());
  out.number("spectral_gap", diagnosis.spectral_gap);
  if (diagnosis.least_eigenvalue) out.number("least_eigenvalue", *diagnosis.least_eigenvalue);
  out.flag("exact", diagnosis.exact);
  out.number("rounds", diagnosis.rounds);
  out.integer("least_in_degree", diagnosis.in_degree.least);
  out.integer("most_in_degree", diagnosis.in_degree.most);
  out.integer("least_out_degree", diagnosis.out_degree.least);
  out.integer("most_out_degree", diagnosis.out_degree.most);
  out.integer("connections", diagnosis.connections);
  out.integer("diameter", static_cast<std::uint64_t>(diagnosis.diameter));
  out.number("bytes_per_round", diagnosis.bytes_per_round);
  out.number("round_seconds", diagnosis.round_seconds);
  out.number("seconds", diagnosis.seconds);
  out.integer("all_reduce_steps", diagnosis.all_reduce_steps);
  out.number("all_reduce_seconds", diagnosis.all_reduce_seconds);
}

void write_job(JsonWriter& out, const TopologyOptions& options, const GossipJob& job) {
  out.integer("ranks", static_cast<std::uint64_t>(options.ranks));
  out.integer("hosts", static_cast<std::uint64_t>(options.hosts));
  out.text("weights", options.weights);
  out.integer("seed", options.seed);
  out.number("payload_bytes", job.payload_bytes);
  out.number("latency_seconds", options.latency_us * 1e-6);
  out.number("bytes_per_second", options.bandwidth * 1e9);
}

}  // namespace

void print_topology(const TopologyOptions& options, const GossipJob& job, const TopologyRow& row) {
  const Diagnosis& diagnosis = row.diagnosis;
  if (options.json) {
    JsonWriter out;
    out.open_object();
    write_job(out, options, job);
    write_row(out, row);
    out.close();
    std::printf("%s\n", out.str().c_str());
    return;
  }
  std::printf("%s: %d ranks on %d %s, weights=%s, seed=%llu\n", row.topology.spec().c_str(), options.ranks,
              options.hosts, options.hosts == 1 ? "host" : "hosts", options.weights.c_str(),
              static_cast<unsigned long long>(options.seed));
  if (!row.topology.reason().empty()) print_line("chosen", row.topology.reason());
  print_line("period", std::to_string(row.topology.period()) + (row.topology.period() == 1 ? " round" : " rounds"));
  print_line("mixing matrix", sums_of(row.topology));
  print_line("spectral gap", formatted("%.6g", diagnosis.spectral_gap));
  if (diagnosis.least_eigenvalue) {
    const bool harmful = *diagnosis.least_eigenvalue < kToleratedByMomentum;
    print_line("least eigenvalue",
               formatted("%.6g", *diagnosis.least_eigenvalue) + (harmful ? ": with momentum, take weights=lazy" : ""));
  }
  print_line("degree in", range_of(diagnosis.in_degree));
  print_line("degree out", range_of(diagnosis.out_degree));
  print_line("connections", std::to_string(diagnosis.connections) + " at most, of a rank");
  print_line("diameter", std::to_string(diagnosis.diameter));
  print_line("rounds", rounds_cell(diagnosis) + (diagnosis.exact ? "" : " to 1/1000 of the disagreement"));
  std::printf("Predicted for %s\n", job_text(options, job).c_str());
  print_line("sent in a round", formatted("%.0f B", diagnosis.bytes_per_round) + " per rank");
  print_line("a round", milliseconds(diagnosis.round_seconds) + " ms");
  print_line("all rounds", milliseconds(diagnosis.seconds) + (std::isfinite(diagnosis.seconds) ? " ms" : ""));
  print_line("exact all-reduce", std::to_string(diagnosis.all_reduce_steps) + " steps along " +
                                     dimensions_of(row.topology) + ", " + milliseconds(diagnosis.all_reduce_seconds) +
                                     " ms");
}

void print_comparison(const TopologyOptions& options, const GossipJob& job, const std::vector<TopologyRow>& rows) {
  if (options.json) {
    JsonWriter out;
    out.open_object();
    write_job(out, options, job);
    out.open_array("topologies");
    for (const TopologyRow& row : rows) {
      out.open_object();
      write_row(out, row);
      out.close();
    }
    out.close();
    out.close();
    std::printf("%s\n", out.str().c_str());
    return;
  }
  std::printf("# %d ranks on %d hosts; %s\n", options.ranks, options.hosts, job_text(options, job).c_str());
  std::printf("# rounds: to 1/1000 of the disagreement, or to none; time: of these rounds, predicted, best first;\n");
  std::printf("# all-reduce: of the exact sum, for comparison\n");
  std::vector<Cells> table = {{"topology", "gap", "degree", "connections", "rounds", "sent (B/round)", "round (ms)",
                               "time (ms)", "all-reduce (ms)"}};
  for (const TopologyRow& row : rows) {
    const Diagnosis& diagnosis = row.diagnosis;
    table.push_back({row.topology.spec(), formatted("%.4g", diagnosis.spectral_gap), range_of(diagnosis.out_degree),
                     std::to_string(diagnosis.connections), rounds_cell(diagnosis),
                     formatted("%.0f", diagnosis.bytes_per_round), milliseconds(diagnosis.round_seconds),
                     milliseconds(diagnosis.seconds), milliseconds(diagnosis.all_reduce_seconds)});
  }
  print_table(table, 1);
}

}  // namespace gossamer::tools
