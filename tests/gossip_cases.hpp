#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/library_cases.hpp"

/// What the tests of gossip share: models that start apart, and how far apart they are.
namespace gossamer::test::gossip {

inline constexpr std::uint64_t kSeed = 909;
inline constexpr std::size_t kRows = 24;
inline constexpr std::size_t kColumns = 20;
inline constexpr std::size_t kCount = kRows * kColumns;

using Models = std::vector<std::vector<float>>;

/// Where models start: a common part, and one of each rank's own.
inline std::vector<float> start_of(int rank) {
  std::vector<float> model = normal_values(kSeed, -1, 0, kCount);
  const std::vector<float> own = normal_values(kSeed, rank, 1, kCount);
  for (std::size_t i = 0; i < kCount; ++i) model[i] += own[i];
  return model;
}

inline std::vector<double> mean_of(const Models& models) {
  std::vector<double> mean(models.front().size());
  for (const std::vector<float>& model : models) {
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += static_cast<double>(model[i]);
  }
  for (double& value : mean) value /= static_cast<double>(models.size());
  return mean;
}

/// Root mean square distance from `centre`, over ranks and elements.
inline double distance(const Models& models, const std::vector<double>& centre) {
  double squares = 0;
  for (const std::vector<float>& model : models) {
    for (std::size_t i = 0; i < model.size(); ++i) {
      squares += (static_cast<double>(model[i]) - centre[i]) * (static_cast<double>(model[i]) - centre[i]);
    }
  }
  return std::sqrt(squares / static_cast<double>(models.size() * centre.size()));
}

struct Setting {
  std::string mixing;
  std::string codec = "identity";
  std::string topology = "ring";
  std::string more = "";
};

/// The models after so many rounds.
inline Models mixed(const Setting& setting, int ranks, int rounds) {
  Models models(static_cast<std::size_t>(ranks));
  ThreadGroup group(ranks);
  run_ranks(ranks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank,
                                      "transport=inproc min_compress=0 topology=" + setting.topology +
                                          " mixing=" + setting.mixing + " " + setting.more);
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, setting.codec);
    std::vector<float> model = start_of(rank);
    for (int round = 0; round < rounds; ++round) ok(goss_mix(tensor.get(), model.data()), setting.mixing);
    models[static_cast<std::size_t>(rank)] = std::move(model);
  });
  return models;
}

inline Models starts(int ranks) {
  Models models;
  for (int rank = 0; rank < ranks; ++rank) models.push_back(start_of(rank));
  return models;
}

/// How far the mean may go, by the root mean square over elements. The replicas of dcd and ecd have errors that nothing
/// takes back: in 8 bits, of values up to 4.5, they deviate by 4.5/254 at most. Nothing is left of dcd's when the ranks
/// agree. Those of ecd follow δ <- (1 − 2/t) δ + (2/t) e, and models add δ up: in T rounds the error of round s comes
/// in 2 (1 − s/T) times, all of them as √(4T/3); T is 60. Else it is rounding: 2^-24 of such values for each of some
/// operations a round, in some hundred rounds.
inline double drift(const std::string& mixing) {
  if (mixing == "ecd") return std::sqrt(4 * 60.0 / 3) * 4.5 / 254;
  return mixing == "dcd" ? 4.5 / 254 : 5e-4;
}

inline std::string described(const Setting& setting, int ranks) {
  return sentence("seed ", kSeed, ", mixing=", setting.mixing, ", codec ", setting.codec, ", ", setting.topology, ", ",
                  ranks, " ranks");
}

}  // namespace gossamer::test::gossip
