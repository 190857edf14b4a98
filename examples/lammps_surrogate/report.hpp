#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace surrogate {

/// One codec after one epoch. Errors in meV per atom; bytes and seconds since the start, mean over ranks.
struct CodecRecord {
  double train_mev = 0, test_mev = 0;
  double bytes_sent = 0, codec_seconds = 0, wait_seconds = 0, train_seconds = 0;
};

struct EpochRecord {
  int epoch = 0;
  std::int64_t md_step = 0;
  double time_ps = 0, temperature = 0, energy_per_atom = 0;  ///< ps, K, eV
  double order = 0;                                          ///< 1 in the perfect crystal, near 0 in the melt
  double baseline_mev = 0;  ///< standard deviation of the held-out energies: the error of always guessing their mean
  std::vector<CodecRecord> codecs;
};

/// What rank 0 tells the user.
class Report {
 public:
  /// `output` is the prefix of the files.
  Report(std::vector<std::string> codecs, std::string output);

  void heading() const;
  void epoch(const EpochRecord& record) const;
  /// `hashes` are of the final weights, one per codec.
  void table(const EpochRecord& last, const std::vector<std::uint64_t>& hashes) const;
  /// Writes the .csv and .gnuplot, and has gnuplot draw the .png. Without gnuplot it says so and goes on; throws
  /// std::runtime_error if a file cannot be written.
  void curves(const std::vector<EpochRecord>& history) const;

 private:
  void write_data(const std::vector<EpochRecord>& history) const;
  void write_script(const std::vector<EpochRecord>& history) const;

  std::vector<std::string> codecs_;
  std::string output_;
};

}  // namespace surrogate
