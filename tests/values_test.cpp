// What calls compute, against sums in float64: every type, size, number of ranks and topology; broadcast, gossip,
// barrier.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>

#include "compress/half.hpp"
#include "compress/kernels.hpp"
#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 1117;

struct Type {
  goss_dtype dtype;
  std::size_t bytes;
  double unit;   ///< half the distance from 1 to the next value
  double least;  ///< half the distance between the smallest values
};
constexpr Type kTypes[] = {{GOSS_FLOAT32, 4, 0x1p-24, 0x1p-150},
                           {GOSS_FLOAT64, 8, 0x1p-53, 0},
                           {GOSS_FLOAT16, 2, 0x1p-11, 0x1p-25},
                           {GOSS_BFLOAT16, 2, 0x1p-8, 0x1p-134}};

/// A tensor's memory of any type, read and written as doubles. Halves are checked by kernels_test and only used here.
struct Memory {
  Type type;
  std::size_t count;
  std::vector<std::byte> bytes;

  Memory(const Type& of, std::size_t elements) : type(of), count(elements), bytes(elements * of.bytes + 8) {}

  [[nodiscard]] DType half() const { return type.dtype == GOSS_FLOAT16 ? DType::float16 : DType::bfloat16; }
  void set(const std::vector<double>& values) {
    if (values.empty()) return;  // memcpy wants memory even for no bytes
    const std::vector<float> floats(values.begin(), values.end());
    if (type.dtype == GOSS_FLOAT64) {
      std::memcpy(bytes.data(), values.data(), count * 8);
    } else if (type.dtype == GOSS_FLOAT32) {
      std::memcpy(bytes.data(), floats.data(), count * 4);
    } else {
      kernels::reference::narrow(half(), floats, MutableBytes(bytes).first(count * 2));
    }
  }
  [[nodiscard]] std::vector<double> get() const {
    std::vector<double> values(count);
    std::vector<float> floats(count);
    if (type.dtype == GOSS_FLOAT64) {
      if (count > 0) std::memcpy(values.data(), bytes.data(), count * 8);
      return values;
    }
    if (type.dtype == GOSS_FLOAT32) {
      if (count > 0) std::memcpy(floats.data(), bytes.data(), count * 4);
    } else {
      kernels::reference::add_widened(half(), Bytes(bytes).first(count * 2), 1, floats);
    }
    return {floats.begin(), floats.end()};
  }
};

Memory input_of(const Type& type, int rank, std::size_t count) {
  const std::vector<float> values = normal_values(kSeed, rank, static_cast<int>(count), count);
  Memory memory(type, count);
  memory.set({values.begin(), values.end()});
  return memory;
}

/// Exact to float64, with the sum of magnitudes, for rounding bounds.
struct Oracle {
  std::vector<double> sum;
  std::vector<double> magnitude;

  Oracle(const Type& type, int ranks, std::size_t count) : sum(count), magnitude(count) {
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<double> values = input_of(type, rank, count).get();
      for (std::size_t i = 0; i < count; ++i) {
        sum[i] += values[i];
        magnitude[i] += std::abs(values[i]);
      }
    }
  }
};

/// n - 1 additions, a division, and for means of half types a division of every input, each rounded once.
void expect_close(const Memory& result, const Oracle& oracle, int ranks, goss_op op) {
  const std::vector<double> values = result.get();
  const double n = ranks;
  const double scale = op == GOSS_MEAN ? 1 / n : 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double exact = oracle.sum[i] * scale;
    const double relative = (op == GOSS_MEAN ? n + 2 : n - 1) * result.type.unit * 1.01;
    const double bound = relative * oracle.magnitude[i] * scale + 2 * n * result.type.least;
    expect(std::abs(values[i] - exact) <= bound, "element ", i, " of ", values.size(), " is ", values[i],
           " instead of ", exact, ", bound ", bound);
  }
}

void check_identity(int ranks, const std::string& topology, const std::vector<std::size_t>& counts) {
  std::vector<Oracle> oracles;
  for (const Type& type : kTypes) {
    for (const std::size_t count : counts) oracles.emplace_back(type, ranks, count);
  }
  ThreadGroup group(ranks);
  run_ranks(ranks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
    auto oracle = oracles.begin();
    for (const Type& type : kTypes) {
      for (const std::size_t count : counts) {
        const std::string name = sentence(static_cast<int>(type.dtype), '/', count);
        const TensorHandle tensor = make_tensor(comm.get(), name, {count}, "identity", type.dtype);
        for (const goss_op op : {GOSS_SUM, GOSS_MEAN}) {
          Memory data = input_of(type, rank, count);
          ok(goss_allreduce(tensor.get(), data.bytes.data(), op), name);
          expect_close(data, *oracle, ranks, op);
          const std::byte* guard = data.bytes.data() + count * type.bytes;
          for (int i = 0; i < 8; ++i) expect(guard[i] == std::byte{0}, name, " wrote past the end");
        }
        ++oracle;
      }
    }
  });
}

}  // namespace

TEST_CASE("identity sums and means every type, size and number of ranks like float64") {
  for (int ranks = 1; ranks <= 8; ++ranks) {
    for (const std::string& topology : topologies_of(ranks)) {
      INFO(ranks << " ranks, " << topology << ", seed " << kSeed);
      check_identity(ranks, topology, {0, 1, static_cast<std::size_t>(ranks - 1), 1009, 20011});
    }
  }
}

TEST_CASE("a tensor of many slabs") {
  for (const std::string topology : {"ring", "torus:2x2", "complete"}) {
    INFO(topology << ", seed " << kSeed);
    constexpr std::size_t kCount = 3000017;
    ThreadGroup group(4);
    run_ranks(4, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
      const TensorHandle tensor = make_tensor(comm.get(), "large", {kCount}, "identity");
      std::vector<float> data(kCount);
      for (std::size_t i = 0; i < kCount; ++i)
        data[i] = static_cast<float>((i * 31 + static_cast<unsigned>(rank)) % 4099);
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), topology);
      for (std::size_t i = 0; i < kCount; ++i) {
        const std::size_t sum = (i * 31) % 4099 + (i * 31 + 1) % 4099 + (i * 31 + 2) % 4099 + (i * 31 + 3) % 4099;
        expect(data[i] == static_cast<float>(sum), "element ", i, " is ", data[i], " instead of ", sum);
      }
    });
  }
}

TEST_CASE("a mean does not overflow where the sum would") {
  for (const Type& type : kTypes) {
    const double most = type.dtype == GOSS_FLOAT16 ? 60000 : type.dtype == GOSS_FLOAT64 ? 1e308 : 3e38;
    for (const int ranks : {2, 3, 8}) {
      ThreadGroup group(ranks);
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc");
        const TensorHandle tensor = make_tensor(comm.get(), "w", {100}, "identity", type.dtype);
        Memory data(type, 100);
        data.set(std::vector<double>(100, most));
        const double stored = data.get()[0];
        const goss_status status = goss_allreduce(tensor.get(), data.bytes.data(), GOSS_MEAN);
        if (type.bytes > 2 && status == GOSS_ERR_NUMERIC) return;  // promised for narrow types only
        ok(status, "mean");
        for (const double value : data.get()) {
          expect(std::abs(value - stored) <= 10 * type.unit * stored, "the mean of ", stored, " is ", value);
        }
      });
    }
  }
}

TEST_CASE("lossy codecs on tensors that are not float32 agree, and are right to the codec's and the type's precision") {
  constexpr int kRanks = 3;
  constexpr std::size_t kCount = 1200;
  for (const std::string& codec : lossy_codecs()) {
    for (const Type& type : kTypes) {
      INFO(codec << ", type " << static_cast<int>(type.dtype) << ", seed " << kSeed);
      std::vector<std::vector<std::byte>> results(kRanks);
      std::vector<std::vector<double>> lacks(kRanks);
      ThreadGroup group(kRanks);
      run_ranks(kRanks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
        const TensorHandle tensor = make_tensor(comm.get(), "w", {30, 40}, codec, type.dtype);
        Memory data = input_of(type, rank, kCount);
        ok(goss_allreduce(tensor.get(), data.bytes.data(), GOSS_SUM), codec);
        const std::vector<float> residual = residual_of(tensor.get(), kCount);
        const auto place = static_cast<std::size_t>(rank);
        results[place] = data.bytes;
        lacks[place].assign(residual.begin(), residual.end());
      });
      const Oracle oracle(type, kRanks, kCount);
      Memory result(type, kCount);
      result.bytes = results[0];
      const std::vector<double> values = result.get();
      for (const auto& other : results) REQUIRE(same_bits(other, results[0]));
      double worst = 0;
      for (std::size_t i = 0; i < kCount; ++i) {
        double defect = values[i] - oracle.sum[i];
        double size = std::abs(values[i]) + oracle.magnitude[i];
        for (const auto& lack : lacks) {
          defect += lack[i];
          size += std::abs(lack[i]);
        }
        worst = std::max(worst, std::abs(defect) / (size + 1));
      }
      // Conservation in float32, and one rounding to the tensor's type.
      CHECK(worst <= 0x1p-23 * (kRanks + 3) + 1.01 * type.unit);
    }
  }
}

TEST_CASE("broadcast is exact to the bit from every root") {
  for (const int ranks : {1, 2, 3, 4, 6, 8}) {
    for (const std::string& topology : topologies_of(ranks)) {
      ThreadGroup group(ranks);
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 topology=" + topology);
        for (const std::size_t count : {0UL, 1UL, 777UL, 70001UL}) {  // the last in three segments
          const TensorHandle tensor = make_tensor(comm.get(), sentence(count), {count}, "int8");
          for (int root = 0; root < ranks; ++root) {
            const auto word = [&](int of, std::size_t i) {  // any bits: NaNs with payloads, infinities, denormals
              return static_cast<std::uint32_t>((i + 1) * 2654435761U + static_cast<unsigned>(of) * 97U) |
                     (i % 5 == 0 ? 0x7f800001U : 0U);
            };
            std::vector<std::uint32_t> data(count);
            for (std::size_t i = 0; i < count; ++i) data[i] = word(rank, i);
            ok(goss_broadcast(tensor.get(), data.data(), root), topology);
            for (std::size_t i = 0; i < count; ++i) expect(data[i] == word(root, i), "element ", i, " from ", root);
          }
        }
      });
    }
  }
}

TEST_CASE("a gossip round is the mixing matrix applied, and keeps the mean") {
  constexpr std::size_t kCount = 40009;  // in two segments
  for (const int ranks : {1, 2, 3, 4, 6, 8}) {
    for (const std::string& topology : topologies_of(ranks)) {
      INFO(ranks << " ranks, " << topology << ", seed " << kSeed);
      std::vector<std::vector<float>> results(static_cast<std::size_t>(ranks));
      ThreadGroup group(ranks);
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
        const TensorHandle tensor = make_tensor(comm.get(), "model", {kCount}, "identity");
        std::vector<int> who(8);
        std::vector<double> weights(8);
        int count = 0;
        double self = 0;
        ok(goss_comm_neighbours(comm.get(), 0, who.data(), weights.data(), 8, &count, &self), "neighbours");
        std::vector<float> data = normal_values(kSeed, rank, 0, kCount);
        std::vector<double> exact(kCount);
        for (std::size_t i = 0; i < kCount; ++i) exact[i] = self * data[i];
        for (int j = 0; j < count; ++j) {
          const std::vector<float> theirs = normal_values(kSeed, who[static_cast<std::size_t>(j)], 0, kCount);
          for (std::size_t i = 0; i < kCount; ++i) exact[i] += weights[static_cast<std::size_t>(j)] * theirs[i];
        }
        goss_request* request = nullptr;
        ok(goss_imix(tensor.get(), data.data(), &request), "goss_imix");
        ok(goss_wait(&request), "goss_imix");
        for (std::size_t i = 0; i < kCount; ++i) {
          expect(std::abs(data[i] - exact[i]) < 1e-5, "element ", i, " is ", data[i], " instead of ", exact[i]);
        }
        results[static_cast<std::size_t>(rank)] = std::move(data);
      });
      std::vector<double> lost(kCount);
      for (int rank = 0; rank < ranks; ++rank) {
        const std::vector<float> before = normal_values(kSeed, rank, 0, kCount);
        const std::vector<float>& after = results[static_cast<std::size_t>(rank)];
        for (std::size_t i = 0; i < kCount; ++i) lost[i] += static_cast<double>(before[i]) - after[i];
      }
      double worst = 0;
      for (const double difference : lost) worst = std::max(worst, std::abs(difference));
      CHECK(worst < 1e-5);
    }
  }
}

TEST_CASE("compression is what a tensor asks for: whatever asks for none is exact beside those that do (B13)") {
  constexpr std::size_t kCount = 5000;
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    for (const std::string config : {"transport=inproc", "transport=inproc codec=topk:ratio=0.01"}) {
      const bool by_default = config.find("codec=") == std::string::npos;
      const CommHandle comm = make_comm(group, rank, config);
      const TensorHandle lossy = make_tensor(comm.get(), "layer", {kCount}, "topk:ratio=0.01");
      // Neither the sum of a loss nor parameters that one rank hands to all may lose a bit.
      const TensorHandle loss = make_tensor(comm.get(), "loss", {kCount}, by_default ? "" : "identity");
      std::vector<float> data(kCount);
      for (std::size_t i = 0; i < kCount; ++i) data[i] = static_cast<float>(i * static_cast<unsigned>(rank + 1));
      const std::vector<float> mine = data;
      ok(goss_allreduce(loss.get(), data.data(), GOSS_SUM), "exact");
      for (std::size_t i = 0; i < kCount; ++i) expect(data[i] == static_cast<float>(6 * i), "element ", i, " is off");
      data = mine;
      ok(goss_allreduce(lossy.get(), data.data(), GOSS_SUM), "lossy");
      expect(data[1] == 0, "top-k sent element 1, ", data[1]);
      data = mine;
      ok(goss_broadcast(lossy.get(), data.data(), 2), "broadcast");
      for (std::size_t i = 0; i < kCount; ++i) expect(data[i] == static_cast<float>(3 * i), "element ", i, " is off");
    }
  });
}

TEST_CASE("ranks with nothing, or a single value, take part like all others, under every codec (B11)") {
  constexpr int kRanks = 4;
  const Dims dims = {27, 37};
  for (const std::string topology : {"ring", "torus:2x2", "complete"}) {
    INFO(topology << ", seed " << kSeed);
    const std::vector<std::string> specs = law_specs();
    std::vector<std::vector<std::vector<float>>> results(kRanks);
    ThreadGroup group(kRanks);
    run_ranks(kRanks, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 topology=" + topology);
      for (const std::string& codec : specs) {
        const TensorHandle tensor = make_tensor(comm.get(), codec, dims, codec);
        for (int call = 0; call < 2; ++call) {
          std::vector<float> data(count_of(dims), 0.0F);
          if (rank == 2) data[500] = 3.25F;
          if (rank == 3) data = normal_values(kSeed, rank, call, data.size());
          ok(goss_allreduce(tensor.get(), data.data(), call == 0 ? GOSS_SUM : GOSS_MEAN), codec);
          results[static_cast<std::size_t>(rank)].push_back(std::move(data));
        }
      }
    });
    for (std::size_t i = 0; i < results[0].size(); ++i) {
      INFO(specs[i / 2] << ", call " << i % 2);
      for (const auto& of_rank : results) CHECK(same_bits(of_rank[i], results[0][i]));
      CHECK(std::ranges::all_of(results[0][i], [](float value) { return std::isfinite(value); }));
    }
  }
}

TEST_CASE("a barrier returns on no rank before all have called") {
  for (const int ranks : {1, 2, 3, 5, 8}) {
    for (const std::string& topology : topologies_of(ranks)) {
      ThreadGroup group(ranks);
      std::atomic<int> arrived{0};
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
        for (int round = 1; round <= 70; ++round) {  // more than there are call numbers in a tag
          ++arrived;
          ok(goss_barrier(comm.get()), "goss_barrier");
          expect(arrived >= round * ranks, "round ", round, ": only ", arrived.load(), " calls");
        }
      });
    }
  }
}

}  // namespace gossamer::test
