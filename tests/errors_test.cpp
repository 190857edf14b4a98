// What the library refuses, on which ranks, in which words, and what still works afterwards. Ranks are threads.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

const std::string kInproc = "transport=inproc min_compress=0 ";

goss_status try_comm(ThreadGroup& group, int rank, const std::string& config) {
  const goss_bootstrap bootstrap = group.bootstrap(rank);
  goss_comm* comm = nullptr;
  const goss_status status = goss_comm_create(&bootstrap, config.c_str(), &comm);
  const CommHandle owned(comm);
  expect(status == GOSS_OK || comm == nullptr, "an output was set on failure");
  return status;
}

goss_status try_tensor(goss_comm* comm, const std::string& name, const Dims& dims, const std::string& codec,
                       goss_dtype dtype = GOSS_FLOAT32) {
  goss_tensor* tensor = nullptr;
  const goss_status status =
      goss_tensor_create(comm, name.c_str(), dtype, static_cast<int>(dims.size()), dims.data(), codec.c_str(), &tensor);
  const TensorHandle owned(tensor);
  expect(status == GOSS_OK || tensor == nullptr, "an output was set on failure");
  return status;
}

/// An all-reduce of ones, to see that a communicator works.
void expect_working(goss_tensor* tensor, std::size_t count, int ranks) {
  std::vector<float> data(count, 1.0F);
  ok(goss_allreduce(tensor, data.data(), GOSS_SUM), "the next call");
  for (const float value : data) expect(std::isfinite(value), "the next call gives ", value);
  expect(count == 0 || std::abs(data[0]) <= 2.0F * static_cast<float>(ranks), "the next call gives ", data[0]);
}

void create_on_all_fails(int ranks, const std::string& config, const std::vector<std::string>& words) {
  ThreadGroup group(ranks);
  run_ranks(ranks, [&](int rank) { fails(try_comm(group, rank, config), GOSS_ERR_ARGUMENT, words, config); });
}

void tensor_on_all_fails(const Dims& dims, const std::string& codec, const std::vector<std::string>& words) {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kInproc);
    fails(try_tensor(comm.get(), "t", dims, codec), GOSS_ERR_ARGUMENT, words, codec);
    const TensorHandle tensor = make_tensor(comm.get(), "t", {16}, "identity");
    expect_working(tensor.get(), 16, 2);
  });
}

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("an unknown name or key is refused on all ranks with the list of the known") {
  create_on_all_fails(2, "transport=carrier", {"carrier", "ucx", "inproc"});
  create_on_all_fails(2, "transport=inproc topology=sun", {"sun", "ring", "torus", "hypercube", "complete"});
  create_on_all_fails(2, "transport=inproc codec=zip", {"zip", "identity", "topk", "powersgd", "int8"});
  create_on_all_fails(2, "transport=inproc codec=topk:k=5", {"'k'", "ratio", "values"});
  create_on_all_fails(2, "transport=inproc colour=red", {"colour", "topology", "timeout", "min_compress"});
  create_on_all_fails(2, "transport=inproc:speed=9", {"speed"});
  create_on_all_fails(2, "transport=inproc progress=sometimes", {"sometimes", "thread", "polling"});
  create_on_all_fails(2, "transport=inproc timeout=0", {"timeout", "0"});
  create_on_all_fails(2, "transport=inproc timeout=soon", {"timeout", "soon"});
  create_on_all_fails(2, "transport=inproc seed=-1", {"seed", "-1"});
  create_on_all_fails(2, "transport=inproc topology", {"topology", "key=value"});
  create_on_all_fails(2, "transport=inproc timeout=1 timeout=2", {"timeout", "twice"});
}

TEST_CASE("a topology that does not fit the ranks is refused with both numbers") {
  create_on_all_fails(3, "transport=inproc topology=torus:2x2", {"2x2", "3", "4"});
  create_on_all_fails(2, "transport=inproc topology=torus:0x2", {"torus"});
  create_on_all_fails(2, "transport=inproc topology=torus", {"torus"});
  create_on_all_fails(2, "transport=inproc topology=torus:two", {"two"});
}

TEST_CASE("a method that cannot go on when a rank dies is refused where it would have to, with those that can") {
  for (const std::string mixing : {"mean", "dcd", "ecd"}) {
    create_on_all_fails(2, "transport=inproc on_failure=continue mixing=" + mixing,
                        {mixing, "average", "push-sum", "choco"});
  }
}

TEST_CASE("one rank's bad configuration fails all ranks alike, naming it") {
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    const std::string config = rank == 1 ? "transport=inproc codec=zip" : "transport=inproc";
    fails(try_comm(group, rank, config), GOSS_ERR_ARGUMENT, {rank == 1 ? "zip" : "rank 1"}, config);
  });
}

TEST_CASE("ranks with different configurations are told who and what") {
  for (const auto& [mine, theirs] : {std::pair<std::string, std::string>{"seed=1", "seed=2"},
                                     {"codec=int8", "codec=fp16"},
                                     {"min_compress=5", "min_compress=6"},
                                     {"nonfinite=pass", "nonfinite=error"},
                                     {"topology=ring", "topology=complete"}}) {
    ThreadGroup group(3);
    run_ranks(3, [&](int rank) {
      const std::string config = "transport=inproc " + (rank == 2 ? theirs : mine);
      fails(try_comm(group, rank, config), GOSS_ERR_MISMATCH, {"rank 2", mine, theirs}, config);
    });
  }
}

TEST_CASE("codec options out of range are refused with the valid range") {
  for (const std::string ratio : {"0", "-0.5", "1.5", "nan", "inf", "1e-400", "half", ""}) {
    CAPTURE(ratio);
    tensor_on_all_fails({100}, "topk:ratio=" + ratio, {"ratio", "(0, 1]"});
  }
  tensor_on_all_fails({10, 20}, "powersgd:rank=0", {"rank=0"});
  tensor_on_all_fails({10, 20}, "powersgd:rank=11", {"rank=11", "10"});
  tensor_on_all_fails({10, 20}, "powersgd:rank=-1", {"rank=-1"});
  tensor_on_all_fails({10, 20}, "powersgd:rank=two", {"two"});
  tensor_on_all_fails({100}, "zip", {"zip", "identity", "terngrad"});
  tensor_on_all_fails({100}, "int8:ef=maybe", {"ef", "maybe"});
  tensor_on_all_fails({100}, "identity:level=3", {"level"});
}

TEST_CASE("a bad spec is refused even where the tensor would go through uncompressed") {
  ThreadGroup group(1);
  const CommHandle comm = make_comm(group, 0, "transport=inproc min_compress=1000000");
  CHECK(try_tensor(comm.get(), "a", {10}, "topk:ratio=7") == GOSS_ERR_ARGUMENT);
  CHECK(try_tensor(comm.get(), "b", {10}, "powersgd:rank=0") == GOSS_ERR_ARGUMENT);
  CHECK(try_tensor(comm.get(), "c", {10}, "zip") == GOSS_ERR_ARGUMENT);
}

TEST_CASE("ranks that register a tensor differently are told who and in what") {
  struct Case {
    Dims dims;
    goss_dtype dtype;
    std::string codec;
    std::string says;
  };
  const std::vector<Case> others = {{{101}, GOSS_FLOAT32, "int8", "101"},
                                    {{10, 10}, GOSS_FLOAT32, "int8", "dims"},
                                    {{100}, GOSS_FLOAT64, "int8", "float64"},
                                    {{100}, GOSS_FLOAT32, "fp16", "codec"},
                                    {{100}, GOSS_FLOAT32, "int8:rounding=stochastic", "codec"}};
  for (const Case& other : others) {
    for (int odd = 0; odd < 3; ++odd) {
      ThreadGroup group(3);
      run_ranks(3, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, kInproc);
        const goss_status status = rank == odd ? try_tensor(comm.get(), "w", other.dims, other.codec, other.dtype)
                                               : try_tensor(comm.get(), "w", {100}, "int8");
        const std::string who = rank == odd ? "rank " : sentence("rank ", odd);
        fails(status, GOSS_ERR_MISMATCH, {who, other.says, "'w'"}, other.says);
        const TensorHandle again = make_tensor(comm.get(), "w", {100}, "int8");
        expect_working(again.get(), 100, 3);
      });
    }
  }
}

TEST_CASE("a spec that one rank alone cannot take stops all, naming it") {
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kInproc);
    const goss_status status = try_tensor(comm.get(), "w", {100}, rank == 2 ? "zip" : "int8");
    fails(status, rank == 2 ? GOSS_ERR_ARGUMENT : GOSS_ERR_MISMATCH, {rank == 2 ? "zip" : "rank 2"}, "registration");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {100}, "int8");
    expect_working(tensor.get(), 100, 3);
  });
}

TEST_CASE("ranks that mean different calls all fail, and so does what follows") {
  using CallOf = goss_status (*)(goss_tensor*, void*);
  const CallOf sum = [](goss_tensor* t, void* d) { return goss_allreduce(t, d, GOSS_SUM); };
  const CallOf mean = [](goss_tensor* t, void* d) { return goss_allreduce(t, d, GOSS_MEAN); };
  const CallOf from_zero = [](goss_tensor* t, void* d) { return goss_broadcast(t, d, 0); };
  const CallOf from_one = [](goss_tensor* t, void* d) { return goss_broadcast(t, d, 1); };
  for (const auto& [mine, theirs] : {std::pair{sum, mean}, {mean, from_zero}, {from_zero, from_one}}) {
    for (const std::string topology : {"ring", "complete"}) {
      ThreadGroup group(3);
      run_ranks(3, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, kInproc + "topology=" + topology);
        const TensorHandle tensor = make_tensor(comm.get(), "w", {50}, "identity");
        std::vector<float> data(50, static_cast<float>(rank));
        const std::vector<float> before = data;
        fails((rank == 1 ? theirs : mine)(tensor.get(), data.data()), GOSS_ERR_MISMATCH, {"'w'", "rank 1"}, "call");
        expect(same_bits(data, before), "data was touched");
        fails(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), GOSS_ERR_MISMATCH, {"'w'"}, "the call after");
        fails(goss_barrier(comm.get()), GOSS_ERR_MISMATCH, {"'w'"}, "the barrier after");
        group.barrier();
      });
    }
  }
}

TEST_CASE("NaN or Inf on one rank is NUMERIC on all, and nothing is touched") {
  constexpr std::size_t kRows = 40;
  constexpr std::size_t kCols = 50;
  constexpr std::size_t kCount = kRows * kCols;
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const std::string& codec : every_codec()) {
    for (const float bad : {std::nanf(""), kInf, -kInf}) {
      for (const int culprit : {0, 2}) {
        ThreadGroup group(3);
        run_ranks(3, [&](int rank) {
          const CommHandle comm = make_comm(group, rank, kInproc);
          const TensorHandle tensor = make_tensor(comm.get(), "g", {kRows, kCols}, codec);
          std::vector<float> data = normal_values(7, rank, 0, kCount);
          ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), codec);
          const std::vector<float> residual = residual_of(tensor.get(), kCount);
          data = normal_values(7, rank, 1, kCount);
          if (rank == culprit) data[kCount - 3] = bad;
          const std::vector<float> before = data;
          const bool lossy = codec != "identity";
          const std::string who = lossy ? sentence("rank ", culprit) : "'g'";
          fails(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), GOSS_ERR_NUMERIC, {"'g'", who}, codec);
          expect(same_bits(residual_of(tensor.get(), kCount), residual), codec, " touched the residual");
          expect(!lossy || same_bits(data, before), codec, " touched data");
          expect(lossy || !std::isfinite(data[kCount - 3]), "the sum hides what was not finite");
          expect_working(tensor.get(), kCount, 3);
        });
      }
    }
  }
}

TEST_CASE("nonfinite=pass lets uncompressed tensors carry NaN and Inf; compressed ones refuse them still") {
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kInproc + "nonfinite=pass");
    const TensorHandle tensor = make_tensor(comm.get(), "g", {1000}, "identity");
    for (const goss_op op : {GOSS_SUM, GOSS_MEAN}) {
      std::vector<float> data(1000, 1.0F);
      if (rank == 1) data[3] = std::nanf("");
      if (rank == 2) data[998] = -std::numeric_limits<float>::infinity();
      ok(goss_allreduce(tensor.get(), data.data(), op), "with NaN");
      expect(std::isnan(data[3]) && data[998] == -std::numeric_limits<float>::infinity(), data[3], " ", data[998]);
      expect(data[0] == (op == GOSS_SUM ? 3.0F : 1.0F), "an ordinary element became ", data[0]);
    }
    const TensorHandle lossy = make_tensor(comm.get(), "h", {1000}, "int8");
    std::vector<float> data(1000, rank == 0 ? std::nanf("") : 1.0F);
    fails(goss_allreduce(lossy.get(), data.data(), GOSS_SUM), GOSS_ERR_NUMERIC, {"rank 0"}, "int8");
  });
}

TEST_CASE("a sum beyond the type's range is NUMERIC on all ranks") {
  for (const std::string& codec : every_codec()) {
    ThreadGroup group(4);
    std::atomic<int> refused{0};
    run_ranks(4, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, kInproc);
      const TensorHandle tensor = make_tensor(comm.get(), "g", {8, 125}, codec);
      std::vector<float> data(1000, std::numeric_limits<float>::max());
      const goss_status status = goss_allreduce(tensor.get(), data.data(), GOSS_SUM);
      expect(status == GOSS_OK || status == GOSS_ERR_NUMERIC, codec, ": ", goss_last_error());
      if (status == GOSS_ERR_NUMERIC) ++refused;
      for (const float value : data) {
        expect(status != GOSS_OK || std::isfinite(value), codec, " calls ", value, " a result");
      }
    });
    CHECK_MESSAGE((refused == 0 || refused == 4), codec << ": " << refused.load() << " ranks of 4 refuse");
  }
}

TEST_CASE("a rank that never comes is named by whoever waits for it, and the communicator has failed") {
  for (const std::string& codec : every_codec()) {
    for (const std::string progress : {"thread", "polling"}) {
      ThreadGroup group(3);
      run_ranks(3, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, kInproc + "topology=complete timeout=0.3 progress=" + progress);
        const TensorHandle tensor = make_tensor(comm.get(), "g", {20, 30}, codec);
        std::vector<float> data = normal_values(9, rank, 0, 600);
        ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), codec);
        const std::vector<float> residual = residual_of(tensor.get(), 600);
        group.barrier();
        if (rank != 1) {
          fails(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), GOSS_ERR_TIMEOUT, {"rank 1", "'g'", "timeout"},
                codec);
          expect(same_bits(residual_of(tensor.get(), 600), residual), codec, " touched the residual");
          fails(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), GOSS_ERR_TIMEOUT, {"rank 1"}, "the call after");
          fails(goss_barrier(comm.get()), GOSS_ERR_TIMEOUT, {"rank 1"}, "the barrier after");
        }
        group.barrier();
      });
    }
  }
}

TEST_CASE("GOSSAMER_<KEY> in the environment overrides the configuration") {
  const Environment topology("GOSSAMER_TOPOLOGY", "complete");
  const Environment codec("GOSSAMER_CODEC", "topk:ratio=0.25");
  const Environment few("GOSSAMER_MIN_COMPRESS", "10");
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc topology=ring codec=int8");
    const TensorHandle tensor = make_tensor(comm.get(), "g", {10}, "");
    const std::string text = describe(comm.get());
    expect(text.find("direct(3)") != std::string::npos, text);
    expect(text.find("topk:ratio=0.25") != std::string::npos, text);
  });
  const Environment wrong("GOSSAMER_TIMEOUT", "never");
  create_on_all_fails(2, "transport=inproc timeout=3", {"timeout", "never"});
}

TEST_CASE("tensors of fewer elements than min_compress go through uncompressed (B18)") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=100 codec=topk:ratio=0.01");
    for (const std::size_t count : {99UL, 100UL}) {
      const TensorHandle tensor = make_tensor(comm.get(), std::to_string(count) + " values", {count}, "");
      std::vector<float> data = normal_values(3, rank, 0, count);
      const std::vector<float> other = normal_values(3, 1 - rank, 0, count);
      std::vector<float> sum = data;
      for (std::size_t i = 0; i < count; ++i) sum[i] += other[i];
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "all-reduce");
      expect(same_bits(data, sum) == (count < 100), count, " elements");
    }
  });
}

TEST_CASE("misuse that one rank can see by itself is ARGUMENT and harms nobody") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kInproc);
    const TensorHandle tensor = make_tensor(comm.get(), "g", {16}, "identity");
    std::vector<float> data(16);
    fails(goss_allreduce(nullptr, data.data(), GOSS_SUM), GOSS_ERR_ARGUMENT, {"tensor"}, "NULL tensor");
    fails(goss_allreduce(tensor.get(), nullptr, GOSS_SUM), GOSS_ERR_ARGUMENT, {"data"}, "NULL data");
    fails(goss_broadcast(tensor.get(), data.data(), 2), GOSS_ERR_ARGUMENT, {"root 2", "1"}, "root");
    fails(goss_broadcast(tensor.get(), data.data(), -1), GOSS_ERR_ARGUMENT, {"root -1"}, "root");
    fails(goss_iallreduce(tensor.get(), data.data(), GOSS_SUM, nullptr), GOSS_ERR_ARGUMENT, {"request"}, "request");
    fails(try_tensor(comm.get(), "g", {16}, "identity"), GOSS_ERR_ARGUMENT, {"'g'", "exists"}, "a name in use");
    fails(try_tensor(comm.get(), "", {16}, "identity"), GOSS_ERR_ARGUMENT, {"name"}, "no name");
    fails(try_tensor(comm.get(), "h", {1UL << 40, 1UL << 40}, "identity"), GOSS_ERR_ARGUMENT, {}, "too large");
    const TensorHandle lossy = make_tensor(comm.get(), "i", {16}, "int8");
    fails(goss_mix(lossy.get(), data.data()), GOSS_ERR_UNSUPPORTED, {"'i'", "int8"}, "mix");
    fails(goss_push(lossy.get(), data.data()), GOSS_ERR_UNSUPPORTED, {"'i'", "int8"}, "push");
    expect_working(tensor.get(), 16, 2);
  });
}

}  // namespace gossamer::test
