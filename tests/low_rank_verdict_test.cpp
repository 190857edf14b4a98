#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/matrices.hpp"
#include "tests/world.hpp"

// Where to approximate: of the sum, in rounds (powersgd), or of partial sums, at every hop (lowrank). Prints the table
// of docs/codecs/low_rank.md when asked for with --no-skip: it takes a minute.
namespace gossamer::test {
namespace {

constexpr Eigen::Index kDirections = 24;
constexpr int kCalls = 20;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

RowMajor normal_matrix(Eigen::Index rows, Eigen::Index cols, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  return RowMajor::NullaryExpr(rows, cols, [&] { return normal(random); });
}

/// One rank's gradient in one call: singular values that fall by 0.75 each, in directions that turn by a twentieth of
/// their length per call, and noise of the rank's own, half as large.
RowMajor gradient(Eigen::Index rows, Eigen::Index cols, int rank, int call) {
  RowMajor left = normal_matrix(rows, kDirections, 1);
  RowMajor right = normal_matrix(cols, kDirections, 2);
  for (int past = 0; past < call; ++past) {
    left += 0.05F * normal_matrix(rows, kDirections, 100 + static_cast<std::uint64_t>(past));
    right += 0.05F * normal_matrix(cols, kDirections, 200 + static_cast<std::uint64_t>(past));
  }
  for (Eigen::Index k = 0; k < kDirections; ++k) left.col(k) *= std::pow(0.75F, static_cast<float>(k));
  RowMajor signal = left * right.transpose();
  RowMajor noise = normal_matrix(rows, cols, 1000 + static_cast<std::uint64_t>(100 * call + rank));
  return signal + noise * (0.5F * signal.norm() / noise.norm());
}

struct Measured {
  double cold = 0;  ///< relative error of the first call
  double warm = 0;  ///< of the last five, on average
  double kilobytes = 0;
  double milliseconds = 0;
};

/// gradients[call][rank], sums[call]
Measured measure(const std::string& codec, const std::vector<std::vector<RowMajor>>& gradients,
                 const std::vector<RowMajor>& sums) {
  const int ranks = static_cast<int>(gradients[0].size());
  ThreadGroup group(ranks);
  Measured measured;
  run_ranks(
      ranks,
      [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=ring");
        const std::vector<std::size_t> dims = {static_cast<std::size_t>(sums[0].rows()),
                                               static_cast<std::size_t>(sums[0].cols())};
        const TensorHandle tensor = make_tensor(comm.get(), "w", dims, codec + ",ef=off");
        for (int call = 0; call < kCalls; ++call) {
          RowMajor data = gradients[static_cast<std::size_t>(call)][static_cast<std::size_t>(rank)];
          ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), codec);
          if (rank != 0) continue;
          const RowMajor& sum = sums[static_cast<std::size_t>(call)];
          const double error = static_cast<double>((data - sum).norm() / sum.norm());
          if (call == 0) measured.cold = error;
          if (call >= kCalls - 5) measured.warm += error / 5;
        }
        goss_stats stats{};
        stats.struct_size = sizeof stats;
        ok(goss_tensor_stats(tensor.get(), &stats), "statistics");
        if (rank != 0) return;
        measured.kilobytes = static_cast<double>(stats.bytes_sent) / kCalls / 1e3;
        measured.milliseconds = (stats.encode_seconds + stats.reduce_seconds + stats.decode_seconds) / kCalls * 1e3;
      },
      300);
  return measured;
}

double tail_share(const Eigen::VectorXd& singular, Eigen::Index rank) {
  return singular.tail(singular.size() - rank).norm() / singular.norm();
}

void print_rows(Eigen::Index rows, Eigen::Index cols, int ranks) {
  std::vector<std::vector<RowMajor>> gradients(kCalls);
  std::vector<RowMajor> sums;
  for (int call = 0; call < kCalls; ++call) {
    std::vector<RowMajor>& of_call = gradients[static_cast<std::size_t>(call)];
    for (int rank = 0; rank < ranks; ++rank) of_call.push_back(gradient(rows, cols, rank, call));
    sums.emplace_back(RowMajor::Zero(rows, cols));
    for (const RowMajor& each : of_call) sums.back() += each;
  }
  for (const std::string codec :
       {"powersgd:rank=4", "lowrank:rank=4", "lowrank:rank=4,start=fresh", "powersgd:rank=16", "lowrank:rank=1"}) {
    const Measured measured = measure(codec, gradients, sums);
    std::printf("| %d x %d | %d | `%s` | %.3f | %.3f | %.1f | %.2f |\n", static_cast<int>(rows), static_cast<int>(cols),
                ranks, codec.c_str(), measured.cold, measured.warm, measured.kilobytes, measured.milliseconds);
  }
  const Eigen::VectorXd singular = singular_triplets(sums.back().cast<double>()).values;
  std::printf("best of the last sum: rank 4 %.3f, rank 16 %.3f\n", tail_share(singular, 4), tail_share(singular, 16));
}

}  // namespace

TEST_CASE("on a ring lowrank sends a right factor for every chunk, powersgd one for the matrix") {
  constexpr int kRanks = 4;
  constexpr double kSide = 256;
  for (const auto& [codec, floats] : {std::pair{"powersgd:rank=2", 2.0 * (kSide + kSide) * 2 * (kRanks - 1) / kRanks},
                                      std::pair{"lowrank:rank=2", 2.0 * (kSide / kRanks + kSide) * 2 * (kRanks - 1)}}) {
    CAPTURE(codec);
    ThreadGroup group(kRanks);
    std::uint64_t sent = 0;
    run_ranks(kRanks, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc topology=ring");
      const TensorHandle tensor = make_tensor(comm.get(), "w", {256, 256}, codec);
      RowMajor data = gradient(256, 256, rank, 0);
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), codec);
      goss_stats stats{};
      stats.struct_size = sizeof stats;
      ok(goss_tensor_stats(tensor.get(), &stats), "statistics");
      if (rank == 0) sent = stats.bytes_sent;
    });
    // Headers and the agreement: less than 100 bytes for each of at most 15 messages.
    CHECK(static_cast<double>(sent) >= 4 * floats);
    CHECK(static_cast<double>(sent) <= 4 * floats + 1500);
  }
}

TEST_CASE("verdict: low rank of the sum or of partial sums" * doctest::skip()) {
  std::printf("| matrix | ranks | codec | error, first call | error, warm | KB sent | ms of work |\n");
  for (const int ranks : {2, 4, 8, 16}) print_rows(512, 512, ranks);
  for (const int ranks : {2, 8}) print_rows(8192, 32, ranks);
}

}  // namespace gossamer::test
