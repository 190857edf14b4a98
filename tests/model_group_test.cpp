// granularity=model: tensors that a codec sees as one vector give what one tensor of all their values gives, bit for
// bit, whatever the order in which ranks register and post them.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 4711;
const std::vector<std::string> kNames = {"b.weight", "a.weight", "c.weight"};
const std::vector<std::size_t> kCounts = {1500, 2048, 1027};
const std::string kConfig = "transport=inproc granularity=model ";

/// Where a tensor's values are in the whole: members are in the order of their names.
std::size_t offset_of(std::size_t index) {
  std::size_t offset = 0;
  for (std::size_t i = 0; i < kNames.size(); ++i) offset += kNames[i] < kNames[index] ? kCounts[i] : 0;
  return offset;
}

std::vector<float> inputs(int rank, int call) {
  return normal_values(kSeed, rank, call, std::accumulate(kCounts.begin(), kCounts.end(), std::size_t{0}));
}

/// The members of one rank, registered in its own order if it does so from several threads, posted in its own order.
struct Members {
  std::vector<TensorHandle> tensors;
  std::vector<std::vector<float>> data;

  Members(goss_comm* comm, const std::string& codec, goss_dtype dtype = GOSS_FLOAT32) : data(kNames.size()) {
    for (std::size_t i = 0; i < kNames.size(); ++i)
      tensors.push_back(make_tensor(comm, kNames[i], {kCounts[i]}, codec, dtype));
  }
  void fill(const std::vector<float>& whole) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const auto from = whole.begin() + static_cast<std::ptrdiff_t>(offset_of(i));
      data[i].assign(from, from + static_cast<std::ptrdiff_t>(kCounts[i]));
    }
  }
  goss_status all_reduce(int first) {
    std::vector<goss_request*> requests(kNames.size());
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const std::size_t at = (i + static_cast<std::size_t>(first)) % kNames.size();
      ok(goss_iallreduce(tensors[at].get(), data[at].data(), GOSS_MEAN, &requests[i]), "post");
    }
    return goss_wait_all(static_cast<int>(requests.size()), requests.data());
  }
  [[nodiscard]] std::vector<float> joined(const std::vector<std::vector<float>>& parts) const {
    std::vector<float> whole(std::accumulate(kCounts.begin(), kCounts.end(), std::size_t{0}));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::copy(parts[i].begin(), parts[i].end(), whole.begin() + static_cast<std::ptrdiff_t>(offset_of(i)));
    }
    return whole;
  }
  [[nodiscard]] std::vector<float> residual() const {
    std::vector<std::vector<float>> parts;
    for (std::size_t i = 0; i < kNames.size(); ++i) parts.push_back(residual_of(tensors[i].get(), kCounts[i]));
    return joined(parts);
  }
};

std::vector<std::byte> saved(goss_tensor* tensor) {
  std::size_t bytes = 0;
  ok(goss_tensor_save(tensor, nullptr, 0, &bytes), "size of the state");
  std::vector<std::byte> state(bytes);
  ok(goss_tensor_save(tensor, state.data(), bytes, &bytes), "save");
  return state;
}

}  // namespace

TEST_CASE("a model is exchanged as one tensor of all its values would be, bit for bit") {
  INFO("seed " << kSeed);
  for (const std::string codec :
       {"topk:ratio=0.01", "terngrad:ef=on", "int8:rounding=stochastic", "randomk:ratio=0.02"}) {
    for (const std::string topology : {"ring", "torus:2x2", "complete"}) {
      ThreadGroup group(4);
      run_ranks(4, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, kConfig + "topology=" + topology);
        Members members(comm.get(), codec);
        for (int call = 0; call < 3; ++call) {
          members.fill(inputs(rank, call));
          ok(members.all_reduce(rank + call), codec);
        }
        // The whole's name takes part in random streams: the oracle has the same one.
        const CommHandle single = make_comm(group, rank, "transport=inproc topology=" + topology);
        const std::vector<float> sizes = inputs(rank, 0);
        const TensorHandle oracle = make_tensor(single.get(), "model of " + codec, {sizes.size()}, codec);
        std::vector<float> data;
        for (int call = 0; call < 3; ++call) {
          data = inputs(rank, call);
          ok(goss_allreduce(oracle.get(), data.data(), GOSS_MEAN), codec);
        }
        expect(same_bits(members.joined(members.data), data), codec, " on ", topology, ": another result");
        expect(same_bits(members.residual(), residual_of(oracle.get(), data.size())), codec, ": another residual");
      });
    }
  }
}

TEST_CASE("top-k of a model takes what is large in all of it; of single tensors, a share of each") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    for (const bool whole : {true, false}) {
      const CommHandle comm = make_comm(group, rank, whole ? kConfig : "transport=inproc");
      Members members(comm.get(), "topk:ratio=0.01");
      members.fill(inputs(rank, 0));
      for (float& value : members.data[1]) value *= 1000;
      ok(members.all_reduce(0), "top-k");
      const auto sent = [&](std::size_t i) {
        return std::count_if(members.data[i].begin(), members.data[i].end(), [](float value) { return value != 0; });
      };
      expect(sent(1) > 0, "nothing of the large tensor");
      expect((sent(0) == 0) == whole, sent(0), " of the first tensor, whole model: ", whole);
      expect((sent(2) == 0) == whole, sent(2), " of the last tensor, whole model: ", whole);
    }
  });
}

TEST_CASE("tensors of other codecs, small ones, and those registered after the first call go by themselves") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kConfig);
    Members members(comm.get(), "topk:ratio=0.01");
    const auto alone = [&](const std::string& name, std::size_t count, const std::string& codec) {
      const TensorHandle tensor = make_tensor(comm.get(), name, {count}, codec);
      std::vector<float> data(count, 1.0F);
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), name);
      expect(data[0] != 0, name, " was not exchanged");
    };
    alone("dense", 5000, "identity");
    alone("small", 10, "topk:ratio=0.01");
    members.fill(inputs(rank, 0));
    ok(members.all_reduce(0), "model");
    alone("late", 5000, "topk:ratio=0.01");
  });
}

TEST_CASE("a model's state is saved with its tensors and goes on to the bit") {
  INFO("seed " << kSeed);
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    std::vector<std::vector<std::byte>> states;
    std::vector<float> expected;
    {
      const CommHandle comm = make_comm(group, rank, kConfig);
      Members members(comm.get(), "int8:rounding=stochastic");
      for (int call = 0; call < 2; ++call) {
        members.fill(inputs(rank, call));
        ok(members.all_reduce(0), "before");
        if (call > 0) continue;
        for (const TensorHandle& tensor : members.tensors) states.push_back(saved(tensor.get()));
      }
      expected = members.joined(members.data);
    }
    const CommHandle comm = make_comm(group, rank, kConfig);
    Members members(comm.get(), "int8:rounding=stochastic");
    for (std::size_t i = 0; i < states.size(); ++i) {
      ok(goss_tensor_load(members.tensors[i].get(), states[i].data(), states[i].size()), "load");
    }
    members.fill(inputs(rank, 1));
    ok(members.all_reduce(0), "after");
    expect(same_bits(members.joined(members.data), expected), "another result after a restart");
    fails(goss_tensor_load(members.tensors[0].get(), states[1].data(), states[1].size()), GOSS_ERR_MISMATCH,
          {"b.weight"}, "another tensor's state");
  });
}

TEST_CASE("tensors of other types, and what is not finite in one of a model's tensors") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kConfig);
    std::vector<std::vector<double>> data = {std::vector<double>(2000, rank + 1.0), std::vector<double>(3000, 2.0)};
    std::vector<TensorHandle> tensors;
    for (std::size_t i = 0; i < 2; ++i) {
      tensors.push_back(make_tensor(comm.get(), sentence("d", i), {data[i].size()}, "fp16:ef=on", GOSS_FLOAT64));
    }
    const auto exchange = [&] {
      std::vector<goss_request*> requests(2);
      for (std::size_t i = 0; i < 2; ++i)
        ok(goss_iallreduce(tensors[i].get(), data[i].data(), GOSS_SUM, &requests[i]), "post");
      return goss_wait_all(2, requests.data());
    };
    ok(exchange(), "doubles");
    expect(data[0][7] == 3.0 && data[1][2999] == 4.0, "sums ", data[0][7], " and ", data[1][2999]);
    if (rank == 1) data[1][5] = std::nan("");
    fails(exchange(), GOSS_ERR_NUMERIC, {"rank 1"}, "NaN in one tensor");
    data[1].assign(data[1].size(), 1.0);
    ok(exchange(), "after a refusal");
  });
}

TEST_CASE("a tensor of the model that is never posted is a timeout of the rank that keeps the others waiting") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kConfig + "timeout=0.5");
    Members members(comm.get(), "topk:ratio=0.01");
    members.fill(inputs(rank, 0));
    goss_request* request = nullptr;
    ok(goss_iallreduce(members.tensors[0].get(), members.data[0].data(), GOSS_MEAN, &request), "post");
    fails(goss_wait(&request), GOSS_ERR_TIMEOUT, {sentence("rank ", rank), "the rest of the model"},
          "a missing tensor");
    group.barrier();
  });
}

}  // namespace gossamer::test
