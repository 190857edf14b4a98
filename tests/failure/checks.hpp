#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <string>

#include "gossamer/gossamer.h"
#include "tests/failure/fleet.hpp"

/// What a failure test tries, and what the ranks that are left must have reported.
namespace gossamer::failure {

constexpr double kPromisedSeconds = 2;  // from a death to the last survivor's return
constexpr double kHangSeconds = 30;
constexpr double kTimeoutSeconds = 3;  // enough to meet on a busy machine

/// More by GOSSAMER_TRIALS, for a long hunt.
inline int trials_of_each() {
  const char* text = std::getenv("GOSSAMER_TRIALS");
  return text == nullptr ? 1 : std::max(1, std::atoi(text));
}

/// One way to be killed.
struct Trial {
  std::string config;
  int ranks = 4;
  Style style = Style::blocking;
  int tensors = 1;
  std::size_t elements = 4'000'000;
  std::string codec = "identity";
};

inline std::string name_of(Style style) {
  return style == Style::blocking ? "blocking" : style == Style::wait_all ? "goss_wait_all" : "goss_test";
}

inline std::string text_of(const Trial& trial) {
  return sentence(trial.config, ", ", trial.ranks, " ranks, ", trial.tensors, " tensors of ", trial.elements, ", ",
                  trial.codec, ", ", name_of(trial.style));
}

inline Plan plan_of(const Trial& trial) {
  Plan plan;
  copy_text(plan.config, sizeof plan.config, trial.config);
  copy_text(plan.codec, sizeof plan.codec, trial.codec);
  plan.elements = trial.elements;
  plan.tensors = trial.tensors;
  plan.style = trial.style;
  return plan;
}

/// The first rank that a sentence names; −1: none.
inline int first_named(const std::string& said) {
  static const std::regex kRank("rank ([0-9]+)");
  std::smatch found;
  return std::regex_search(said, found, kRank) ? std::stoi(found[1]) : -1;
}

/// What everybody but `lost` must have reported: `status`, who it was, and the same again from every later call.
inline void check_survivors(const Fleet& fleet, int lost, goss_status status) {
  for (int rank = 0; rank < fleet.size(); ++rank) {
    if (rank == lost) continue;
    const Report& report = fleet.report(rank);
    INFO("rank " << rank << " said: " << report.said);
    REQUIRE(report.at() >= Stage::returned);
    CHECK(report.status == status);
    CHECK(first_named(report.said) == lost);
    for (const int later : report.later_status) CHECK(later == status);
    CHECK(report.later_seconds < 1);
  }
}

inline double last_return(const Fleet& fleet, int except) {
  double last = 0;
  for (int rank = 0; rank < fleet.size(); ++rank) {
    if (rank != except) last = std::max(last, fleet.report(rank).returned_at);
  }
  return last;
}

}  // namespace gossamer::failure
