// What calls cost in memory: nothing allocated once warm, and slots that stay small beside the tensor. This file
// replaces the global allocation functions of the test program by ones that can count.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

// GCC sees std::free where it inlines a delete, but not that the new it belongs to is ours too.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

#include "lib/all_reduce.hpp"
#include "lib/tensor.hpp"
#include "tests/library_cases.hpp"
#include "transport/transport.hpp"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
  bytes = bytes == 0 ? 1 : bytes;
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(bytes)
                     : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* counted_or_null(std::size_t bytes) noexcept {
  try {
    return counted(bytes, 1);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes, 1);
}
void* operator new[](std::size_t bytes) {
  return counted(bytes, 1);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
// The sanitizers' own versions of these would not match the deletes below.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted_or_null(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted_or_null(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace gossamer::test {
namespace {

constexpr int kRanks = 4;
const Dims kDims = {100, 500};
constexpr std::size_t kCount = 50000;

/// Calls until five in a row allocate nothing on any rank or progress thread. What is kept at hand for messages on
/// their way may grow as long as timing brings new peaks; anything allocated per call shows in every window.
template <typename MakeCall>
std::size_t allocations_once_warm(ThreadGroup& group, int rank, MakeCall&& make_call) {
  for (int i = 0; i < 3; ++i) make_call();
  std::size_t seen = 0;
  for (int window = 0; window < 30; ++window) {
    group.barrier();
    if (rank == 0) {
      allocations = 0;
      counting = true;
    }
    group.barrier();
    for (int i = 0; i < 5; ++i) make_call();
    group.barrier();
    if (rank == 0) counting = false;
    seen = allocations.load();
    group.barrier();
    if (seen == 0) break;
  }
  return seen;
}

void expect_no_allocations(const std::string& config, const std::string& codec, goss_dtype dtype, bool non_blocking) {
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 " + config);
    const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, codec, dtype);
    std::vector<double> memory(kCount);
    goss_status status = GOSS_OK;
    const std::size_t seen = allocations_once_warm(group, rank, [&] {
      std::fill(memory.begin(), memory.end(), 0.0);
      *reinterpret_cast<unsigned char*>(memory.data()) = static_cast<unsigned char>(rank + 1);  // small, in any type
      if (non_blocking) {
        goss_request* request = nullptr;
        const goss_status posted = goss_iallreduce(tensor.get(), memory.data(), GOSS_SUM, &request);
        if (posted != GOSS_OK) status = posted;
        const goss_status waited = goss_wait(&request);
        if (waited != GOSS_OK) status = waited;
      } else {
        const goss_status done = goss_allreduce(tensor.get(), memory.data(), GOSS_SUM);
        if (done != GOSS_OK) status = done;
      }
    });
    ok(status, codec);
    expect(seen == 0, codec, " with ", config, " allocates ", seen, " times in five calls of ", kRanks, " ranks");
  });
}

}  // namespace

TEST_CASE("the counter counts") {
  allocations = 0;
  counting = true;
  const auto* small = new int(1);
  std::vector<double> large(100000);
  counting = false;
  CHECK(large[99999] + *small == 1);
  delete small;
  CHECK(allocations.load() >= 2);
}

TEST_CASE("a blocking call of a warm tensor allocates nothing, for every codec, topology and progress mode") {
  for (const std::string& codec : every_codec()) {
    for (const std::string config : {"topology=ring", "topology=torus:2x2", "topology=complete", "progress=polling"}) {
      expect_no_allocations(config, codec, GOSS_FLOAT32, false);
    }
  }
}

TEST_CASE("a non-blocking call of a warm tensor allocates nothing, for every codec") {
  for (const std::string& codec : every_codec()) {
    for (const std::string progress : {"thread", "polling"}) {
      expect_no_allocations("progress=" + progress, codec, GOSS_FLOAT32, true);
    }
  }
}

TEST_CASE("a call of a warm tensor of another type allocates nothing") {
  for (const std::string codec : {"identity", "int8", "powersgd:rank=2"}) {
    for (const goss_dtype dtype : {GOSS_FLOAT64, GOSS_BFLOAT16}) expect_no_allocations("", codec, dtype, false);
  }
}

TEST_CASE("slots take at most a quarter of a tensor of some MiB, for every codec and topology") {
  const TransportEntry& entry = find_transport("inproc");
  const std::unique_ptr<Endpoint> endpoint =
      entry.open(Options("transport inproc", Spec::parse("inproc"), entry.keys), EndpointContext{});
  Engine engine(*endpoint, nullptr, {0, 1, false});
  for (int ranks = 1; ranks <= 8; ++ranks) {
    for (const std::string& topology_spec : topologies_of(ranks)) {
      const std::vector<Place> places(static_cast<std::size_t>(ranks));
      const Topology topology = Topology::from_spec(topology_spec, places);
      const std::vector<Leg> legs = legs_of(topology, 0);
      const World world{engine, topology, legs, 0, ranks, 0, true};
      for (const std::string& codec : every_codec()) {
        for (const Dims& dims : {Dims{1024, 1024}, Dims{1009, 1013}}) {
          for (const DType dtype : {DType::float32, DType::float16}) {
            const Shape shape{dtype, dims};
            CodecChoice choice = make_codec(codec, shape);
            const bool lossy = codec != "identity";
            const std::size_t residual = lossy && choice.error_feedback ? shape.count() * sizeof(float) : 0;
            const std::size_t staged = lossy && dtype != DType::float32 ? shape.count() * sizeof(float) : 0;
            const Tensor tensor(world, "w", shape, std::move(choice));
            const std::size_t slots = tensor.memory_bytes() - residual - staged;
            // Of a tensor that is staged, the float32 copy is what is cut and sent.
            const std::size_t whole = std::max(staged, shape.bytes());
            if (whole < (4000000)) continue;
            INFO(codec << " on " << topology_spec << ", " << ranks << " ranks, " << shape.count() << " "
                       << name_of(dtype) << ": " << slots << " bytes of slots, " << whole << " of tensor");
            // Parts are rounded up to whole vectors and payloads have headers: a few hundred bytes per slot.
            CHECK(slots <= whole / 4 + whole / 64);
          }
        }
      }
    }
  }
}

TEST_CASE("goss_comm_describe tells a tensor's memory, residual included") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc");
    const auto held = [&](const std::string& codec) {
      const TensorHandle tensor = make_tensor(comm.get(), "w", kDims, codec);
      const std::string text = describe(comm.get());
      const std::size_t end = text.find(" bytes held");
      expect(end != std::string::npos, "no memory in: ", text);
      return std::stoul(text.substr(text.rfind(' ', end - 1) + 1));
    };
    const std::size_t without = held("topk:ratio=0.05,ef=off");
    const std::size_t with = held("topk:ratio=0.05,ef=on");
    expect(with - without == kCount * sizeof(float), with, " bytes with a residual, ", without, " without");
  });
}

}  // namespace gossamer::test
