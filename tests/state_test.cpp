// State that outlives calls: what goss_tensor_save writes continues to the bit wherever it is loaded, and what is not
// whole, or another tensor's, is refused without a trace.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 90125;
constexpr int kRanks = 3;
const Dims kDims = {30, 40};
constexpr std::size_t kCount = 1200;
const std::string kConfig = "transport=inproc min_compress=0 seed=77";

using Saved = std::vector<std::byte>;

Saved save(goss_tensor* tensor) {
  std::size_t bytes = 0;
  ok(goss_tensor_save(tensor, nullptr, 0, &bytes), "size of the state");
  Saved saved(bytes);
  std::size_t written = 0;
  ok(goss_tensor_save(tensor, saved.data(), saved.size(), &written), "goss_tensor_save");
  expect(written == bytes, "the state has ", written, " bytes, announced were ", bytes);
  return saved;
}

std::vector<float> call(goss_tensor* tensor, int rank, int number) {
  std::vector<float> data = normal_values(kSeed, rank, number, kCount);
  ok(goss_allreduce(tensor, data.data(), number % 2 == 0 ? GOSS_SUM : GOSS_MEAN), "all-reduce");
  return data;
}

/// The residual and the codec's state of a saved tensor, without the number of calls and the checksum.
Bytes kept_of(const Saved& saved) {
  constexpr std::size_t kHead = 5 * sizeof(std::uint64_t);
  return Bytes(saved).subspan(kHead, saved.size() - kHead - sizeof(std::uint64_t));
}

void expect_same(const std::vector<float>& a, const std::vector<float>& b, const std::string& what) {
  expect(same_bits(a, b), what);
}

}  // namespace

TEST_CASE("a fresh communicator continues to the bit from saved state, for every codec (B14)") {
  INFO("seed " << kSeed);
  for (const std::string& codec : every_codec()) {
    for (const std::string topology : {"ring", "complete"}) {
      for (const int before : {0, 1, 5}) {
        std::vector<Saved> saved(kRanks);
        std::vector<std::vector<float>> later(kRanks);
        std::vector<std::vector<float>> residuals(kRanks);
        ThreadGroup group(kRanks);
        run_ranks(kRanks, [&](int rank) {
          const auto place = static_cast<std::size_t>(rank);
          {
            const CommHandle comm = make_comm(group, rank, kConfig + " topology=" + topology);
            const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, codec);
            for (int i = 0; i < before; ++i) call(tensor.get(), rank, i);
            saved[place] = save(tensor.get());
            for (int i = 0; i < 3; ++i) {
              const std::vector<float> data = call(tensor.get(), rank, before + i);
              later[place].insert(later[place].end(), data.begin(), data.end());
            }
            residuals[place] = residual_of(tensor.get(), kCount);
          }
          const CommHandle comm = make_comm(group, rank, kConfig + " topology=" + topology);
          const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, codec);
          ok(goss_tensor_load(tensor.get(), saved[place].data(), saved[place].size()), "goss_tensor_load");
          expect(save(tensor.get()) == saved[place], codec, ": loaded state saves differently");
          std::vector<float> again;
          for (int i = 0; i < 3; ++i) {
            const std::vector<float> data = call(tensor.get(), rank, before + i);
            again.insert(again.end(), data.begin(), data.end());
          }
          expect_same(again, later[place], sentence(codec, " on ", topology, " after ", before, " calls"));
          expect_same(residual_of(tensor.get(), kCount), residuals[place], codec + ": residual");
        });
      }
    }
  }
}

TEST_CASE("the same tensor goes back to what was saved, also across types") {
  for (const std::string& codec : every_codec()) {
    for (const goss_dtype dtype : {GOSS_FLOAT64, GOSS_BFLOAT16}) {
      ThreadGroup group(2);
      run_ranks(2, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, kConfig);
        const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, codec, dtype);
        const auto run = [&](int number) {
          std::vector<std::byte> data(kCount * (dtype == GOSS_FLOAT64 ? 8 : 2));
          const std::vector<float> values = normal_values(kSeed, rank, number, kCount);
          for (std::size_t i = 0; i < kCount; ++i) {
            const double wide = values[i];
            if (dtype == GOSS_FLOAT64) std::memcpy(&data[8 * i], &wide, 8);
            if (dtype == GOSS_BFLOAT16) std::memcpy(&data[2 * i], reinterpret_cast<const char*>(&values[i]) + 2, 2);
          }
          ok(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), codec);
          return data;
        };
        run(0);
        const Saved saved = save(tensor.get());
        const std::vector<std::byte> first = run(1);
        run(2);
        ok(goss_tensor_load(tensor.get(), saved.data(), saved.size()), "goss_tensor_load");
        expect(run(1) == first, codec, " does not repeat itself");
      });
    }
  }
}

TEST_CASE("state of another tensor is MISMATCH, and changes nothing") {
  struct Other {
    std::string name;
    Dims dims;
    std::string codec;
    goss_dtype dtype;
  };
  const std::vector<Other> others = {
      {"v", kDims, "topk:ratio=0.05", GOSS_FLOAT32},    {"w", {40, 30}, "topk:ratio=0.05", GOSS_FLOAT32},
      {"w", {kCount}, "topk:ratio=0.05", GOSS_FLOAT32}, {"w", kDims, "topk:ratio=0.06", GOSS_FLOAT32},
      {"w", kDims, "powersgd:rank=2", GOSS_FLOAT32},    {"w", kDims, "topk:ratio=0.05", GOSS_FLOAT64}};
  for (const Other& other : others) {
    ThreadGroup group(2);
    run_ranks(2, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, kConfig);
      Saved foreign;
      {
        const TensorHandle theirs = make_tensor(comm.get(), other.name, other.dims, other.codec, other.dtype);
        foreign = save(theirs.get());
      }
      const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, "topk:ratio=0.05");
      call(tensor.get(), rank, 0);
      const Saved before = save(tensor.get());
      fails(goss_tensor_load(tensor.get(), foreign.data(), foreign.size()), GOSS_ERR_MISMATCH, {"'w'"}, other.codec);
      expect(save(tensor.get()) == before, "a refused load left a trace");
      call(tensor.get(), rank, 1);
    });
  }
}

TEST_CASE("state cut short, lengthened or flipped anywhere is refused and changes nothing") {
  INFO("seed " << kSeed);
  for (const std::string codec : {"identity", "topk:ratio=0.05", "powersgd:rank=2"}) {
    ThreadGroup group(1);
    const CommHandle comm = make_comm(group, 0, kConfig);
    const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, codec);
    call(tensor.get(), 0, 0);
    const Saved old = save(tensor.get());
    call(tensor.get(), 0, 1);
    const Saved now = save(tensor.get());
    CHECK(old != now);
    const auto refuses = [&](const Saved& bytes) {
      const goss_status status = goss_tensor_load(tensor.get(), bytes.data(), bytes.size());
      return (status == GOSS_ERR_CORRUPT || status == GOSS_ERR_MISMATCH) && save(tensor.get()) == now;
    };
    for (std::size_t length = 0; length < old.size(); length += length < 64 ? 1 : 97) {
      CAPTURE(length);
      CHECK(goss_tensor_load(tensor.get(), old.data(), length) == GOSS_ERR_CORRUPT);
      CHECK(save(tensor.get()) == now);
    }
    Saved longer = old;
    longer.push_back(std::byte{0});
    CHECK(goss_tensor_load(tensor.get(), longer.data(), longer.size()) == GOSS_ERR_CORRUPT);
    std::mt19937_64 random(kSeed);
    for (int i = 0; i < 400; ++i) {
      Saved flipped = old;
      const std::size_t at = i < 64 ? static_cast<std::size_t>(i) % old.size() : random() % old.size();
      flipped[at] ^= static_cast<std::byte>(1U << (random() % 8));
      CAPTURE(at);
      CHECK(refuses(flipped));
    }
    CHECK(goss_tensor_load(tensor.get(), old.data(), old.size()) == GOSS_OK);
    CHECK(save(tensor.get()) == old);
    CHECK(goss_tensor_load(tensor.get(), nullptr, old.size()) == GOSS_ERR_ARGUMENT);
  }
}

TEST_CASE("a buffer too small is ARGUMENT, says both sizes and stays as it is") {
  ThreadGroup group(1);
  const CommHandle comm = make_comm(group, 0, kConfig);
  const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, "topk:ratio=0.05");
  std::size_t needed = 0;
  CHECK(goss_tensor_save(tensor.get(), nullptr, 0, &needed) == GOSS_OK);
  CHECK(needed >= kCount * sizeof(float));
  Saved buffer(needed, std::byte{0x5a});
  std::size_t written = 7;
  fails(goss_tensor_save(tensor.get(), buffer.data(), needed - 1, &written), GOSS_ERR_ARGUMENT,
        {std::to_string(needed), std::to_string(needed - 1), "'w'"}, "too small");
  CHECK(written == 7);
  CHECK(buffer == Saved(needed, std::byte{0x5a}));
  CHECK(goss_tensor_save(tensor.get(), buffer.data(), needed, nullptr) == GOSS_ERR_ARGUMENT);
  CHECK(goss_tensor_save(tensor.get(), buffer.data(), needed, &written) == GOSS_OK);
  CHECK(written == needed);
}

TEST_CASE("after goss_tensor_reset a tensor does what a new one does, for every codec") {
  for (const std::string& codec : every_codec()) {
    ThreadGroup group(kRanks);
    run_ranks(kRanks, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, kConfig);
      const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, codec);
      const Saved fresh = save(tensor.get());
      std::vector<std::vector<float>> first;
      for (int i = 0; i < 3; ++i) first.push_back(call(tensor.get(), rank, i));
      expect(save(tensor.get()) != fresh, codec, ": three calls leave no state");
      ok(goss_tensor_reset(tensor.get()), "goss_tensor_reset");
      ok(goss_barrier(comm.get()), "barrier");
      expect(save(tensor.get()) == fresh, codec, ": state after a reset is not that of a new tensor");
      expect_same(residual_of(tensor.get(), kCount), std::vector<float>(kCount), codec + ": residual");
      for (int i = 0; i < 3; ++i) {
        expect_same(call(tensor.get(), rank, i), first[static_cast<std::size_t>(i)], sentence(codec, " call ", i));
      }
    });
  }
}

TEST_CASE("the residual is zero without error feedback and what was dropped with it") {
  ThreadGroup group(1);
  const CommHandle comm = make_comm(group, 0, kConfig);
  for (const std::string& codec : every_codec()) {
    for (const bool feedback : {false, true}) {
      if (codec == "identity" && feedback) continue;
      if (codec.starts_with("dgc")) continue;  // its residual is one of gradients with momentum
      const std::size_t given = codec.find("ef=");
      const std::string bare = given == std::string::npos ? codec : codec.substr(0, given - 1);
      const std::string spec =
          bare + (bare.find(':') == std::string::npos ? ":" : ",") + (feedback ? "ef=on" : "ef=off");
      CAPTURE(spec);
      const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, codec == "identity" ? codec : spec);
      // The first call of some exchanges the tensor as it is.
      call(tensor.get(), 0, 0);
      const std::vector<float> before = residual_of(tensor.get(), kCount);
      const std::vector<float> input = normal_values(kSeed, 0, 1, kCount);
      const std::vector<float> result = call(tensor.get(), 0, 1);
      const std::vector<float> residual = residual_of(tensor.get(), kCount);
      double norm = 0;
      double defect = 0;
      for (std::size_t i = 0; i < kCount; ++i) {
        norm += std::abs(residual[i]);
        const double lacks = static_cast<double>(input[i]) + before[i] - result[i] - residual[i];
        defect = std::max(defect, std::abs(lacks) / (1 + std::abs(result[i])));
      }
      CHECK((norm > 0) == feedback);
      if (feedback) CHECK(defect < 1e-6);
    }
  }
}

TEST_CASE("a step with NaN leaves residuals and states as they were, on all ranks and for every codec (B16)") {
  INFO("seed " << kSeed);
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kConfig);
    for (const std::string& codec : law_specs()) {
      if (Spec::parse(codec).name == "identity") continue;  // what is not finite travels there, and leaves no state
      const TensorHandle tensor = make_tensor(comm.get(), codec, kDims, codec);
      call(tensor.get(), rank, 0);
      const Saved before = save(tensor.get());
      std::vector<float> data = normal_values(kSeed, rank, 1, kCount);
      if (rank == 1) data[kCount / 2] = std::nanf("");
      fails(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), GOSS_ERR_NUMERIC, {"rank 1"}, codec);
      const Saved after = save(tensor.get());
      expect(std::ranges::equal(kept_of(before), kept_of(after)), codec, ": the step was not skipped whole");
    }
  });
}

TEST_CASE("residuals belong to tensors: none where nothing is dropped, the same whatever else is exchanged (B3)") {
  INFO("seed " << kSeed);
  const std::vector<std::string> names = {"a", "b", "c"};
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    std::vector<std::vector<float>> residuals;
    for (const bool reversed : {false, true}) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc seed=77 codec=topk:ratio=0.05");
      std::vector<std::string> order = names;
      if (reversed) std::reverse(order.begin(), order.end());
      const TensorHandle small = make_tensor(comm.get(), "small", {1000}, "topk:ratio=0.05,ef=on");
      const TensorHandle vector = make_tensor(comm.get(), "vector", {kCount}, "powersgd:rank=2,ef=on");
      std::vector<TensorHandle> tensors;
      for (const std::string& name : order) tensors.push_back(make_tensor(comm.get(), name, kDims, ""));
      for (int i = 0; i < 3; ++i) {
        for (const TensorHandle& tensor : tensors) call(tensor.get(), rank, i);
        call(vector.get(), rank, i);
        std::vector<float> few = normal_values(kSeed, rank, i, 1000);
        ok(goss_allreduce(small.get(), few.data(), GOSS_SUM), "all-reduce");
      }
      expect_same(residual_of(small.get(), 1000), std::vector<float>(1000), "a small tensor's residual");
      expect_same(residual_of(vector.get(), kCount), std::vector<float>(kCount), "a vector's residual under powersgd");
      if (reversed) std::reverse(tensors.begin(), tensors.end());
      for (const TensorHandle& tensor : tensors) residuals.push_back(residual_of(tensor.get(), kCount));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      expect_same(residuals[i], residuals[i + names.size()], names[i] + ": the order of tensors matters");
    }
    expect(!same_bits(residuals[0], std::vector<float>(kCount)), "no residual where something was dropped");
  });
}

TEST_CASE("a powersgd warm start is part of the state") {
  // The subspace is what separates these: residuals are off.
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, kConfig);
    const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, "powersgd:rank=2,ef=off");
    call(tensor.get(), rank, 0);
    const Saved warm = save(tensor.get());
    expect(warm.size() >= 2 * 40 * sizeof(float), "the state has ", warm.size(), " bytes");
    const std::vector<float> warm_result = call(tensor.get(), rank, 1);
    ok(goss_tensor_reset(tensor.get()), "reset");
    ok(goss_barrier(comm.get()), "barrier");
    const std::vector<float> cold_result = call(tensor.get(), rank, 1);
    expect(!same_bits(warm_result, cold_result), "the warm start makes no difference");
    ok(goss_tensor_load(tensor.get(), warm.data(), warm.size()), "load");
    ok(goss_barrier(comm.get()), "barrier");
    expect_same(call(tensor.get(), rank, 1), warm_result, "the warm start was not restored");
  });
}

}  // namespace gossamer::test
