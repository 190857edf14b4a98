#pragma once

#include <string>
#include <vector>

#include "tools/perf.hpp"

namespace gossamer::tools {

/// What all lines have in common.
struct PerfHeader {
  int ranks = 1;
  std::string description;  ///< of the communicator, several lines
  std::string rival;        ///< its name, or empty
};

/// A table on stdout, line by line as cases are done. One rank prints.
void print_header(const PerfOptions& options, const PerfHeader& header);
void print_case(const PerfOptions& options, const PerfHeader& header, const CaseResult& result);
/// Everything as one JSON object.
void print_json(const PerfOptions& options, const PerfHeader& header, const std::vector<CaseResult>& results);

}  // namespace gossamer::tools
