// What a call sends, to the byte, against the formulas of docs/codecs and docs/algorithms.md.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::size_t kShare = 4096;  // elements of each rank's part of the tensor
constexpr std::size_t kRecord = 16;   // with which a rank announces a call to all others
constexpr std::uint64_t kSeed = 4711;

/// Bytes of the payload of `count` elements to which `contributions` ranks contributed, header and all.
using PayloadSize = std::function<std::size_t(std::size_t count, std::size_t contributions)>;

std::size_t share_of(std::size_t count, std::size_t whole) {
  return count / whole + (count % whole != 0 ? 1 : 0);
}

/// A codec whose partial sums all weigh the same.
PayloadSize always(std::size_t header, const std::function<std::size_t(std::size_t)>& body) {
  return [=](std::size_t count, std::size_t) { return header + body(count); };
}

/// Integer sums: units of blocks, then w = floor(log2(t·T)) + 1 words for 64 values.
PayloadSize integers(std::size_t largest, std::size_t block, std::size_t more = 0) {
  return [=](std::size_t count, std::size_t t) {
    const auto width = static_cast<std::size_t>(std::floor(std::log2(static_cast<double>(t * largest)))) + 1;
    const std::size_t blocks = block == 0 ? 1 : share_of(count, block);
    return 20 + more + 4 * blocks + 8 * width * share_of(count, 64);
  };
}

struct Sums {
  std::string spec;
  PayloadSize partial;
  PayloadSize finished;   ///< empty: as `partial`
  std::size_t block = 0;  ///< elements for which the ranks agree on one maximum; 0: none
};

constexpr std::size_t kTensor = ~std::size_t{0};  // one maximum for all

std::size_t bits(std::size_t count) {
  return share_of(count, 8);
}

const std::vector<Sums>& sums() {
  static const std::vector<Sums> cases = {
      {"fp16", always(8, [](std::size_t c) { return 2 * c; }), {}},
      {"bf16", always(8, [](std::size_t c) { return 2 * c; }), {}},
      {"fp8", always(12, [](std::size_t c) { return c; }), {}, kTensor},
      {"int8", always(12, [](std::size_t c) { return 4 * share_of(c, 256) + c; }), {}},
      {"int8:block=1000", always(12, [](std::size_t c) { return 4 * share_of(c, 1000) + c; }), {}},
      {"natural", always(12, [](std::size_t c) { return c + bits(c); }), {}},
      {"natural:bits=8", always(12, [](std::size_t c) { return c; }), {}},
      {"efsign", always(12, [](std::size_t c) { return 4 + bits(c); }), {}},
      {"onebit", always(12, [](std::size_t c) { return 8 + bits(c); }), {}},
      {"dettmers8", always(12, [](std::size_t c) { return 4 * share_of(c, 2048) + c; }), {}},
      {"int8:reduce=integer", integers(254, 256), {}, 256},
      {"qsgd", integers(14, 512), {}, 512},
      {"qsgd:bits=8", integers(254, 512), {}, 512},
      {"qsgd:bits=3,bucket=0", integers(6, 0), {}, kTensor},
      {"natural_dithering", integers(16, 512), {}, 512},
      {"lpc", integers(15, 0), {}, kTensor},
      {"thc", integers(30, kShare, 12), {}, kShare},
      // Ternary digits of one rank, five to a byte in groups of 320.
      {"terngrad",
       [](std::size_t c, std::size_t t) {
         return t > 1 ? integers(2, 0)(c, t) : 24 + c / 320 * 64 + share_of(c % 320, 5);
       },
       {},
       kTensor},
      // Counts of + on the way to the owner, its vote on the way back.
      {"signsgd", integers(1, 0), [](std::size_t c, std::size_t) { return integers(1, 0)(c, 1); }},
      {"topk:ratio=0.01,merge=reselect,indices=raw", always(12, [](std::size_t) { return 41 * 8; }), {}},
      {"topk:ratio=0.01,merge=reselect,indices=bitpack,values=fp16",
       always(12, [](std::size_t) { return 41 * 2 + bits(41 * 12); }),
       {}},
      {"topk:ratio=0.01,merge=reselect,indices=bitmap,values=bf16",
       always(12, [](std::size_t c) { return 41 * 2 + bits(c); }),
       {}},
  };
  return cases;
}

/// All ranks' bytes in one call, each rank with its own values.
template <typename Values>
std::size_t bytes_sent(const std::string& spec, const std::string& topology, int ranks, const Values& values) {
  std::vector<std::size_t> sent(static_cast<std::size_t>(ranks));
  ThreadGroup group(ranks);
  run_ranks(ranks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
    std::vector<float> data = values(rank);
    const TensorHandle tensor = make_tensor(comm.get(), "w", {data.size() / 64, 64}, spec);
    ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), spec);
    goss_stats stats{};
    stats.struct_size = sizeof stats;
    ok(goss_tensor_stats(tensor.get(), &stats), "goss_tensor_stats");
    sent[static_cast<std::size_t>(rank)] = stats.bytes_sent;
  });
  return std::accumulate(sent.begin(), sent.end(), std::size_t{0});
}

std::vector<float> normal(int rank, std::size_t count) {
  return normal_values(kSeed, rank, 0, count);
}

/// A partial sum of t ranks leaves t = 1 … n-1 of them for each of n parts on a ring, and of every rank directly
/// between all; a finished part is sent n - 1 times.
std::size_t reduced(const Sums& sums, const std::string& topology, std::size_t n) {
  std::size_t bytes = 0;
  for (std::size_t t = 1; t < n; ++t) bytes += n * sums.partial(kShare, topology == "ring" ? t : 1);
  return bytes + n * (n - 1) * (sums.finished ? sums.finished : sums.partial)(kShare, n);
}

/// The all-reduce of maxima that precedes the sums.
std::size_t agreed_scales(const Sums& sums, std::size_t count, std::size_t n) {
  return sums.block == 0 ? 0 : 2 * (n - 1) * share_of(count, sums.block) * sizeof(float);
}

std::size_t records(std::size_t n) {
  return n * (n - 1) * kRecord;
}

constexpr int kRanks[] = {1, 2, 3, 4, 5, 8};

}  // namespace

TEST_CASE("re-encoded and merged sums weigh what the formula says, to the byte") {
  INFO("seed " << kSeed);
  for (const Sums& each : sums()) {
    for (const int ranks : kRanks) {
      for (const std::string topology : {"ring", "complete"}) {
        const auto n = static_cast<std::size_t>(ranks);
        const std::size_t wanted = reduced(each, topology, n) + agreed_scales(each, n * kShare, n) + records(n);
        INFO(each.spec << " on " << topology << ", " << ranks << " ranks");
        CHECK(bytes_sent(each.spec, topology, ranks, [&](int rank) { return normal(rank, n * kShare); }) == wanted);
      }
    }
  }
}

TEST_CASE("unions of choices that have nothing in common grow with every hop, of equal ones stay") {
  constexpr std::size_t kStride = 64;
  constexpr std::size_t kEntries = kShare / kStride;  // of each rank in each part: all that is not zero
  for (const bool common : {false, true}) {
    const Sums unions{"topk:ratio=0.015625,indices=raw",
                      [&](std::size_t, std::size_t t) { return 12 + 8 * kEntries * (common ? 1 : t); },
                      {}};
    for (const int ranks : kRanks) {
      for (const std::string topology : {"ring", "complete"}) {
        const auto n = static_cast<std::size_t>(ranks);
        INFO(topology << ", " << ranks << " ranks, " << (common ? "equal" : "disjoint") << " choices");
        const auto values = [&](int rank) {
          std::vector<float> data(n * kShare, 0.0F);
          for (std::size_t i = common ? 0 : static_cast<std::size_t>(rank); i < data.size(); i += kStride) data[i] = 1;
          return data;
        };
        CHECK(bytes_sent(unions.spec, topology, ranks, values) == reduced(unions, topology, n) + records(n));
      }
    }
  }
}

TEST_CASE("gathered payloads are sent n - 1 times by each of n ranks") {
  INFO("seed " << kSeed);
  for (const Sums& each : sums()) {
    const bool gatherable = !each.finished && each.spec.find("reduce=") == std::string::npos;
    if (!gatherable || each.spec.find("merge=reselect") != std::string::npos) continue;
    for (const int ranks : kRanks) {
      const auto n = static_cast<std::size_t>(ranks);
      const std::size_t wanted = n * (n - 1) * each.partial(kShare, 1) + records(n) + agreed_scales(each, kShare, n);
      const std::string spec = each.spec + (each.spec.find(':') == std::string::npos ? ":" : ",") + "reduce=allgather";
      INFO(spec << ", " << ranks << " ranks");
      CHECK(bytes_sent(spec, "ring", ranks, [&](int rank) { return normal(rank, kShare); }) == wanted);
    }
  }
}

TEST_CASE("linear codecs send 2(n-1)/n of their vectors, whatever n is, on every topology") {
  INFO("seed " << kSeed);
  constexpr std::size_t kRows = 256;
  constexpr std::size_t kColumns = 64;
  constexpr std::size_t kCount = kRows * kColumns;
  const std::vector<std::pair<std::string, std::size_t>> floats = {
      {"powersgd:rank=4", 4 * (kRows + kColumns)},
      {"powersgd:rank=2,iterations=3", 3 * 2 * (kRows + kColumns)},
      {"powersgd:rank=3,half=on", 3 * kRows},
      {"powersgd:rank=4,plus=2", kCount},  // the first call goes as it is
      {"randomk:ratio=0.25", kCount / 4},
      {"randomblock:ratio=0.125", kCount / 8},
      {"sketch:k=40", 5 * 400 + 4 * 40},
      {"gradzip:rank=2", 2 * (kRows + kColumns)},
      {"gradiveq", kCount},  // the first call, too
  };
  for (const auto& [spec, count] : floats) {
    for (int ranks = 1; ranks <= 8; ++ranks) {
      for (const std::string& topology : topologies_of(ranks)) {
        const auto n = static_cast<std::size_t>(ranks);
        const std::size_t wanted = 2 * (n - 1) * count * sizeof(float) + records(n);
        INFO(spec << " on " << topology << ", " << ranks << " ranks");
        CHECK(bytes_sent(spec, topology, ranks, [&](int rank) { return normal(rank, kCount); }) == wanted);
      }
    }
  }
}

}  // namespace gossamer::test
