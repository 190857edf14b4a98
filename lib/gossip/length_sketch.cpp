#include "lib/gossip/length_sketch.hpp"

#include <algorithm>
#include <cstdint>

namespace gossamer {
namespace {

/// Sixteen random signs for each run of sixteen elements (the finaliser of SplitMix64).
std::uint64_t signs_of(std::uint64_t run) noexcept {
  std::uint64_t bits = (run + 1) * 0x9e3779b97f4a7c15ULL;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ULL;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebULL;
  return bits ^ (bits >> 31);
}

}  // namespace

LengthSketch::LengthSketch(std::span<const float> vector) noexcept {
  for (std::size_t first = 0; first < vector.size(); first += kSums) {
    const std::uint64_t signs = signs_of(first / kSums);
    const std::span<const float> run = vector.subspan(first, std::min(kSums, vector.size() - first));
    for (std::size_t k = 0; k < run.size(); ++k) {
      const auto value = static_cast<double>(run[k]);
      sums_[k] += (signs >> k & 1) != 0 ? value : -value;
    }
  }
}

double LengthSketch::squared_distance(const LengthSketch& other) const noexcept {
  double squares = 0;
  for (std::size_t k = 0; k < kSums; ++k) squares += (sums_[k] - other.sums_[k]) * (sums_[k] - other.sums_[k]);
  return squares;
}

}  // namespace gossamer
