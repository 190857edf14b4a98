#include "tests/convergence/report.hpp"

#include <cstdio>

#include "tests/convergence/statistics.hpp"

namespace gossamer::convergence {
namespace {

const char* word(Momentum momentum) {
  constexpr const char* kWords[] = {"none", "optimiser", "codec"};
  return kWords[static_cast<int>(momentum)];
}

const char* verdict(const Result& result) {
  if (result.method->gap >= kNotJudged) return "shown";
  return result.gap <= result.method->gap ? "ok" : "WORSE";
}

void print_markdown(const Result& result) {
  const Method& method = *result.method;
  char allowed[16] = "-";
  if (method.gap < kNotJudged) std::snprintf(allowed, sizeof allowed, "%.1f", method.gap);
  std::printf("| `%s` | %s | %.3g | %.1f | %.2f ± %.2f | %+.2f | %s | %s | %s |\n", method.label().c_str(),
              word(method.momentum), method.rate, result.ratio, mean(result.outcome.accuracy),
              spread(result.outcome.accuracy), 0 - result.gap, allowed, verdict(result),
              std::string(method.reason).c_str());
}

void print_text(const Result& result) {
  const Method& method = *result.method;
  std::printf("%-38s %-9s %6.3g %7.1f %8.2f %5.2f %+7.2f %7.1f  %s\n", method.label().c_str(), word(method.momentum),
              method.rate, result.ratio, mean(result.outcome.accuracy), spread(result.outcome.accuracy), 0 - result.gap,
              method.gap, verdict(result));
}

}  // namespace

void print(const std::vector<Result>& results, bool markdown) {
  if (markdown) {
    std::printf("| spec | momentum | rate | ratio | accuracy (%%) | to dense | may lose | verdict | why |\n");
    std::printf("|---|---|---:|---:|---:|---:|---:|---|---|\n");
  } else {
    std::printf("%-38s %-9s %6s %7s %8s %5s %7s %7s\n", "spec", "momentum", "rate", "ratio", "accuracy", "+-",
                "to dense", "allowed");
  }
  for (const Result& result : results) markdown ? print_markdown(result) : print_text(result);
}

}  // namespace gossamer::convergence
