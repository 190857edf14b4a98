#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace gossamer::tools {

/// One tensor of one rank.
struct Gradient {
  std::string name;
  std::vector<std::size_t> dims;
  std::vector<float> values;
};

/// The gradients in a file that `lammps_surrogate --record` wrote; the example's README has the layout. Throws
/// `argument` naming the file if it cannot be read, is no recording, is cut short, or holds NaN or Inf.
std::vector<Gradient> read_recording(const std::string& path);

}  // namespace gossamer::tools
