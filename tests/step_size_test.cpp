// What gamma=auto goes by: the length of what a caller adds, and that it is no reason to mix less.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>

#include "lib/gossip/length_sketch.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 910;
constexpr int kRanks = 8;
constexpr std::size_t kCount = 2000;

/// How far the ranks end from their mean, root mean square, if they start from one model and each adds more of its own
/// before each of 48 rounds, as in the beginning of a training.
double apart(const std::string& mixing, const std::string& codec) {
  std::vector<std::vector<float>> models(kRanks);
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc mixing=" + mixing);
    const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, codec);
    std::vector<float> model = normal_values(kSeed, -1, 0, kCount);
    const std::vector<float> own = normal_values(kSeed, rank, 1, kCount);
    for (int round = 0; round < 48; ++round) {
      for (std::size_t i = 0; i < kCount; ++i) model[i] += 0.01F * static_cast<float>(round + 1) * own[i];
      ok(goss_mix(tensor.get(), model.data()), mixing);
    }
    models[static_cast<std::size_t>(rank)] = std::move(model);
  });
  double squares = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    double mean = 0;
    for (const auto& model : models) mean += static_cast<double>(model[i]) / kRanks;
    for (const auto& model : models) squares += std::pow(static_cast<double>(model[i]) - mean, 2);
  }
  return std::sqrt(squares / (kRanks * kCount));
}

}  // namespace

TEST_CASE("a length is estimated without bias from sixteen sums") {
  INFO("seed " << kSeed);
  const std::vector<float> x = normal_values(kSeed, 0, 0, 999);
  constexpr int kTrials = 400;
  double sum = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<float> y = x;
    const std::vector<float> added = normal_values(kSeed, 1, trial, y.size());
    double squares = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] += added[i];
      squares += std::pow(static_cast<double>(y[i]) - static_cast<double>(x[i]), 2);
    }
    sum += LengthSketch(x).squared_distance(LengthSketch(y)) / squares;
  }
  // Of 16 squared normal values the mean deviates by √(2/16); five standard deviations of the mean over the trials.
  CHECK(std::abs(sum / kTrials - 1) < 5 * std::sqrt(2.0 / 16 / kTrials));
  CHECK(LengthSketch(x).squared_distance(LengthSketch(x)) == 0);
  CHECK(LengthSketch().squared_distance(LengthSketch(std::vector<float>{3})) == 9);
}

TEST_CASE("gamma=auto is not shortened by what the callers add, from one model on") {
  INFO("seed " << kSeed);
  // int8 loses nothing to speak of: auto is 1, and has to stay there.
  CHECK(apart("choco", "int8") == doctest::Approx(apart("choco:gamma=1", "int8")).epsilon(0.02));
  CHECK(apart("deepsqueeze", "int8") == doctest::Approx(apart("deepsqueeze:eta=1", "int8")).epsilon(0.02));
}

}  // namespace gossamer::test
