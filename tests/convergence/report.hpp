#pragma once

#include <string>
#include <vector>

#include "tests/convergence/methods.hpp"
#include "tests/convergence/training.hpp"

namespace gossamer::convergence {

/// What a method came to.
struct Result {
  const Method* method = nullptr;
  Outcome outcome;
  double ratio = 0;  ///< how many times fewer bytes than dense on the wire
  double gap = 0;    ///< accuracy below dense SGD of the same kind, in points; negative: better
};

/// The table, as text or as Markdown.
void print(const std::vector<Result>& results, bool markdown);

}  // namespace gossamer::convergence
