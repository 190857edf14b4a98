#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/recording.hpp"

namespace gossamer::tools {

/// What `gossamer codecs` was asked for.
struct CodecsOptions {
  std::vector<std::string> codecs;  ///< specs; empty: every codec with its defaults
  std::vector<std::string> inputs;  ///< recordings, one per rank; empty: normal values
  std::uint64_t at_least = 0;       ///< elements of a recorded tensor; smaller ones are left out
  std::uint64_t count = 4U << 20U;  ///< of normal values
  int ranks = 8;                    ///< of the ring whose traffic is predicted
  std::uint64_t seed = 1;
  bool markdown = false;
  bool json = false;
};

/// What the codecs are measured on: the same tensors on one rank or more.
struct Subjects {
  std::string origin;  ///< in words
  bool normal = false;
  std::vector<std::vector<Gradient>> ranks;

  [[nodiscard]] std::uint64_t count() const noexcept;  ///< elements of a rank
};

/// What a codec comes to on them.
struct CodecRow {
  std::string spec;
  std::string reduction;  ///< how its payloads become a sum
  bool error_feedback = false;
  double payload_bytes = 0;  ///< of one rank, mean over the ranks
  double ratio = 0;          ///< of the input's bytes to these
  double ring_ratio = 0;     ///< of the dense ring's bytes to those predicted for this codec; 0 for one rank
  double error = 0;          ///< |decode(encode(x)) - x| / |x| in L2, over all tensors and ranks
  double encode_rate = 0;    ///< GB of input per second on one core; 0: there is nothing to do
  double decode_rate = 0;
  std::vector<std::string> broken;  ///< sentences about errors that must not be
};

/// options.count normal values of one rank, as a matrix.
Subjects normal_values(const CodecsOptions& options);

/// Measures one codec, and checks what it measures.
CodecRow measure_codec(const std::string& spec, const Subjects& subjects, const CodecsOptions& options);

/// The table of all rows, in the form that was asked for.
void print_rows(const CodecsOptions& options, const Subjects& subjects, const std::vector<CodecRow>& rows);

/// `gossamer codecs`. Returns the exit code.
int run_codecs(const CodecsOptions& options);

}  // namespace gossamer::tools
