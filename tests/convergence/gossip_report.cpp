#include "tests/convergence/gossip_report.hpp"

#include <cmath>
#include <cstdio>

#include "lib/base/error.hpp"
#include "tests/convergence/statistics.hpp"

namespace gossamer::convergence {
namespace {

constexpr const char* kMarkdownHead =
    "| mixing | topology | codec | kB sent | ratio | mean (%) | worst | apart (%) | dense, same bytes | sorted: mean | "
    "worst | margins |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|\n";

std::string label(const GossipMethod& method) {
  return sentence(method.mixing, ", ", method.topology, ", ", method.codec);
}

/// Accuracy of a dense all-reduce of as many bytes, and its steps.
std::string same_bytes(const GossipResult& result) {
  if (result.steps == 0) return "-";
  char text[48];
  std::snprintf(text, sizeof text, "%.2f (%d)", result.same_bytes, result.steps);
  return text;
}

std::string points(double margin) {
  if (std::abs(margin) >= kAnything) return "-";
  char text[16];
  std::snprintf(text, sizeof text, "%.0f", margin);
  return text;
}

std::string quoted(std::string_view text) {
  return sentence('`', text, '`');
}

void print_markdown(const GossipResult& r) {
  const GossipMethod& m = *r.method;
  const std::string margins = points(m.margins.mean) + ", " + points(m.margins.worst) + ", " + points(m.margins.lead) +
                              ", " + points(m.margins.sorted);
  std::printf("| %s | %s | %s | %.0f | %.1f | %.2f ± %.2f | %.2f | %.1f | %s | %.2f | %.2f | %s |\n",
              quoted(m.mixing).c_str(), quoted(m.topology).c_str(), quoted(m.codec).c_str(), r.standing.bytes / 1e3,
              r.ratio, r.standing.mean, r.standing.mean_spread, r.standing.worst, r.standing.disagreement,
              same_bytes(r).c_str(), r.of_sorted.mean, r.of_sorted.worst, margins.c_str());
}

void print_text(const GossipResult& r) {
  std::printf("%-44s %7.0f %6.1f %7.2f %5.2f %7.2f %6.2f %13s %7.2f %7.2f %6.1f\n", label(*r.method).c_str(),
              r.standing.bytes / 1e3, r.ratio, r.standing.mean, r.standing.mean_spread, r.standing.worst,
              r.standing.disagreement, same_bytes(r).c_str(), r.of_sorted.mean, r.of_sorted.worst,
              r.of_sorted.disagreement);
}

}  // namespace

Standing standing(const GossipOutcome& outcome, std::size_t checkpoint) {
  std::vector<double> means;
  Standing all;
  const auto share = 1 / static_cast<double>(outcome.size());
  for (const auto& seed : outcome) {
    const Checkpoint& here = seed.at(checkpoint);
    means.push_back(here.mean);
    all.bytes += share * here.bytes;
    all.worst += share * here.worst;
    all.disagreement += share * here.disagreement;
  }
  all.mean = mean(means);
  all.mean_spread = spread(means);
  return all;
}

Standing standing(const GossipOutcome& outcome) {
  return standing(outcome, outcome.front().size() - 1);
}

void print(const std::vector<GossipResult>& results, bool markdown) {
  if (markdown) {
    std::fputs(kMarkdownHead, stdout);
  } else {
    std::printf("%-44s %7s %6s %7s %5s %7s %6s %13s %7s %7s %6s\n", "mixing, topology, codec", "kB sent", "ratio",
                "mean", "+-", "worst", "apart", "dense, steps", "sorted", "worst", "apart");
  }
  for (const GossipResult& result : results) markdown ? print_markdown(result) : print_text(result);
}

std::vector<std::string> judge(const std::vector<GossipResult>& results) {
  std::vector<std::string> complaints;
  const GossipResult& dense = results.front();
  for (const GossipResult& r : results) {
    const auto loses = [&](const char* what, double loss, double allowed) {
      if (loss <= allowed) return;
      complaints.push_back(sentence(label(*r.method), ": ", what, " loses ", loss, " points; it may lose ", allowed,
                                    ": ", r.method->reason));
    };
    const Margins& margins = r.method->margins;
    loses("the mean of the models", dense.standing.mean - r.standing.mean, margins.mean);
    loses("the worst rank's model", dense.standing.mean - r.standing.worst, margins.worst);
    loses("the mean of the models, of sorted images,", dense.of_sorted.mean - r.of_sorted.mean, margins.sorted);
    const double lead = r.standing.mean - r.same_bytes;
    if (lead >= margins.lead) continue;
    complaints.push_back(sentence(label(*r.method), " is ", lead,
                                  " points ahead of a dense all-reduce of as many bytes", "; expected at least ",
                                  margins.lead));
  }
  return complaints;
}

}  // namespace gossamer::convergence
