// The two laws, for every codec × topology × number of ranks × size: all ranks end with the same bits, and what the
// result lacks of the inputs' sum is exactly what the ranks hold as residuals.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <span>
#include <tuple>

#include "tests/codec_cases.hpp"
#include "tests/world.hpp"

namespace gossamer::test {
namespace {

using Dims = std::vector<std::size_t>;

std::vector<std::string> topologies_for(int ranks) {
  std::vector<std::string> specs = {"ring", "hypercube", "complete"};
  if (ranks == 4) specs.emplace_back("torus:2x2");
  if (ranks == 6) specs.emplace_back("torus:3x2");
  if (ranks == 8) specs.insert(specs.end(), {"torus:2x4", "torus:2x2x2"});
  return specs;
}

std::vector<Dims> shapes_for(int ranks) {
#ifdef GOSSAMER_SANITIZED
  return {{0},    {1},      {static_cast<std::size_t>(ranks - 1)},
          {1009}, {37, 41}, {20011}};  // an order of magnitude slower there
#else
  return {{0}, {1}, {static_cast<std::size_t>(ranks - 1)}, {1009}, {100003}, {37, 41}, {317, 2, 149}};
#endif
}

constexpr std::uint64_t kSeed = 20261122;

/// A rank's input to a call: made once, since every codec meets it on every topology.
const std::vector<float>& values_of(int rank, int call, std::size_t count) {
  static std::mutex mutex;
  static std::map<std::tuple<int, int, std::size_t>, std::vector<float>> known;
  const std::lock_guard lock(mutex);
  std::vector<float>& values = known[{rank, call, count}];
  if (values.size() == count) return values;
  std::mt19937_64 random(kSeed * 1000003 + static_cast<std::uint64_t>(rank) * 1009 + static_cast<std::uint64_t>(call));
  std::normal_distribution<float> normal;
  values.resize(count);
  for (float& value : values) value = normal(random);
  return values;
}

/// One rank's part: three calls with the residual carried on, alternating sum and mean.
struct RankRun {
  std::vector<std::vector<float>> results;
  std::vector<std::vector<float>> residuals;  // before each call and after the last
};

RankRun run_rank(goss_comm* comm, int rank, const Dims& dims, const std::string& codec) {
  const TensorHandle tensor = make_tensor(comm, "t", dims, codec);
  const std::size_t count = count_of(dims);
  RankRun run;
  for (int call = 0; call < 3; ++call) {
    std::vector<float> residual(count);
    ok(goss_tensor_residual(tensor.get(), residual.data()), "residual");
    run.residuals.push_back(std::move(residual));
    std::vector<float> data = values_of(rank, call, count);
    ok(goss_allreduce(tensor.get(), data.data(), call == 1 ? GOSS_MEAN : GOSS_SUM), "allreduce");
    run.results.push_back(std::move(data));
  }
  std::vector<float> residual(count);
  ok(goss_tensor_residual(tensor.get(), residual.data()), "residual");
  run.residuals.push_back(std::move(residual));
  return run;
}

void check_agreement(const std::vector<RankRun>& ranks) {
  for (const RankRun& run : ranks) {
    for (std::size_t call = 0; call < run.results.size(); ++call) {
      if (run.results[call].empty()) continue;  // memcmp wants memory even for no bytes
      REQUIRE(std::memcmp(run.results[call].data(), ranks[0].results[call].data(),
                          run.results[call].size() * sizeof(float)) == 0);
    }
  }
}

/// result·(n if a mean) + Σ residual' = Σ (input + residual), within what float32 rounds in n hops of these magnitudes.
void check_conservation(const std::vector<RankRun>& ranks) {
  const std::size_t n = ranks.size();
  for (std::size_t call = 0; call < 3; ++call) {
    std::vector<std::span<const float>> inputs;
    for (std::size_t rank = 0; rank < n; ++rank) {
      inputs.emplace_back(values_of(static_cast<int>(rank), static_cast<int>(call), ranks[0].results[call].size()));
    }
    double worst = 0;
    for (std::size_t i = 0; i < ranks[0].results[call].size(); ++i) {
      double lacks = call == 1 ? ranks[0].results[call][i] * static_cast<double>(n) : ranks[0].results[call][i];
      double magnitude = std::abs(lacks);
      for (std::size_t rank = 0; rank < n; ++rank) {
        lacks +=
            static_cast<double>(ranks[rank].residuals[call + 1][i]) - inputs[rank][i] - ranks[rank].residuals[call][i];
        magnitude += std::abs(inputs[rank][i]) + std::abs(ranks[rank].residuals[call][i]) +
                     std::abs(ranks[rank].residuals[call + 1][i]);
      }
      worst = std::max(worst, std::abs(lacks) / (magnitude + 1));
    }
    INFO("call " << call << ", worst relative defect " << worst);
    REQUIRE(worst <= 0x1p-23 * static_cast<double>(n + 3));
  }
}

void check_laws(int n) {
  const std::vector<std::string> specs = law_specs();
  for (const std::string& topology : topologies_for(n)) {
    ThreadGroup group(n);
    std::vector<std::vector<RankRun>> runs(static_cast<std::size_t>(n));  // by rank, then codec and shape
    run_ranks(
        n,
        [&](int rank) {
          const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 topology=" + topology);
          for (const std::string& codec : specs) {
            for (const Dims& dims : shapes_for(n))
              runs[static_cast<std::size_t>(rank)].push_back(run_rank(comm.get(), rank, dims, codec));
          }
        },
        300);
    std::size_t index = 0;
    for (const std::string& codec : specs) {
      for (const Dims& dims : shapes_for(n)) {
        INFO("seed " << kSeed << ", " << n << " ranks, " << topology << ", " << codec << ", " << count_of(dims)
                     << " elements in " << dims.size() << " dims");
        std::vector<RankRun> ranks;
        for (auto& of_rank : runs) ranks.push_back(std::move(of_rank[index]));
        check_agreement(ranks);
        check_conservation(ranks);
        ++index;
      }
    }
  }
}

}  // namespace

TEST_CASE("every codec of the registry is held to the laws") {
  std::set<std::string> tested;
  for (const std::string& spec : law_specs()) tested.insert(Spec::parse(spec).name);
  for (const CodecEntry& entry : codecs()) CHECK_MESSAGE(tested.contains(std::string(entry.name)), entry.name);
}

// One case per number of ranks, so that they can run side by side (tests/CMakeLists.txt).
TEST_CASE("agreement and conservation for every codec, topology and size: 1, 2 and 3 ranks") {
  for (const int n : {1, 2, 3}) check_laws(n);
}
TEST_CASE("agreement and conservation for every codec, topology and size: 4 ranks") {
  check_laws(4);
}
TEST_CASE("agreement and conservation for every codec, topology and size: 5 ranks") {
  check_laws(5);
}
TEST_CASE("agreement and conservation for every codec, topology and size: 6 ranks") {
  check_laws(6);
}
TEST_CASE("agreement and conservation for every codec, topology and size: 7 ranks") {
  check_laws(7);
}
TEST_CASE("agreement and conservation for every codec, topology and size: 8 ranks") {
  check_laws(8);
}

}  // namespace gossamer::test
