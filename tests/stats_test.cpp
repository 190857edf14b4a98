// What the library says about itself: bytes on the wire against the formula, totals, timelines, and codecs alone.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

constexpr std::uint64_t kSeed = 555;
constexpr std::size_t kRecordBytes = 16;  // with which a rank announces a call to all others

goss_stats stats_of(const goss_tensor* tensor) {
  goss_stats stats{};
  stats.struct_size = sizeof stats;
  ok(goss_tensor_stats(tensor, &stats), "goss_tensor_stats");
  return stats;
}

goss_stats stats_of(const goss_comm* comm) {
  goss_stats stats{};
  stats.struct_size = sizeof stats;
  ok(goss_comm_stats(comm, &stats), "goss_comm_stats");
  return stats;
}

void call(goss_tensor* tensor, int rank, int number, std::size_t count) {
  std::vector<float> data = normal_values(kSeed, rank, number, count);
  ok(goss_allreduce(tensor, data.data(), GOSS_SUM), "all-reduce");
}

/// A directory that is gone when the test ends.
class Scratch {
 public:
  Scratch() : path_(std::filesystem::temp_directory_path() / sentence("gossamer_stats_test.", ::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Applied {
  goss_status status;
  std::vector<float> out;
  std::size_t bytes = 0;
};

Applied apply(const std::string& codec, const std::vector<float>& in, const Dims& dims, std::uint64_t seed) {
  Applied applied{GOSS_OK, std::vector<float>(in.size(), -1.0F)};
  applied.status = goss_codec_apply(codec.c_str(), in.data(), applied.out.data(), static_cast<int>(dims.size()),
                                    dims.data(), seed, &applied.bytes);
  return applied;
}

}  // namespace

TEST_CASE("identity sends 2(n-1)/n of the tensor and n-1 records, to the byte, on every topology") {
  for (int ranks = 1; ranks <= 8; ++ranks) {
    for (const std::string& topology : topologies_of(ranks)) {
      for (const std::size_t blocks : {1UL, 40UL, 300UL}) {
        const auto n = static_cast<std::size_t>(ranks);
        const std::size_t count = n * 256 * blocks;
        ThreadGroup group(ranks);
        run_ranks(ranks, [&](int rank) {
          const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
          const TensorHandle tensor = make_tensor(comm.get(), "w", {count}, "identity");
          expect(stats_of(tensor.get()).bytes_sent == 0, "bytes before the first call");
          std::vector<float> data(count, 1.0F);
          for (int i = 0; i < 3; ++i) ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), topology);
          const goss_stats stats = stats_of(tensor.get());
          const std::size_t wanted = 3 * (2 * (n - 1) * count * sizeof(float) / n + (n - 1) * kRecordBytes);
          expect(stats.calls == 3, stats.calls, " calls");
          expect(stats.dense_bytes == 3 * count * sizeof(float), stats.dense_bytes, " dense bytes");
          expect(stats.bytes_sent == wanted, topology, ": sent ", stats.bytes_sent, " instead of ", wanted);
          expect(stats.bytes_received == wanted, topology, ": received ", stats.bytes_received, ", not ", wanted);
        });
      }
    }
  }
}

TEST_CASE("lossy codecs send what their payloads weigh") {
  INFO("seed " << kSeed);
  constexpr int kRanks = 4;
  constexpr std::size_t kCount = 100000;
  struct Case {
    std::string codec;
    double least, most;  // of what identity sends
  };
  // topk: unions of s supports on the s-th hop, full unions on the way back, 8 bytes an entry: 1.5 n · ratio · 8/4.
  for (const Case& one : {Case{"fp16:ef=on", 0.5, 0.505}, Case{"int8", 0.25, 0.27}, Case{"terngrad:ef=on", 0.05, 0.14},
                          Case{"topk:ratio=0.01", 0.01, 0.12}, Case{"topk:ratio=0.01,merge=reselect", 0.005, 0.025}}) {
    for (const std::string topology : {"ring", "torus:2x2", "complete"}) {
      ThreadGroup group(kRanks);
      std::vector<goss_stats> all(kRanks);
      run_ranks(kRanks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
        const TensorHandle tensor = make_tensor(comm.get(), "w", {kCount}, one.codec);
        call(tensor.get(), rank, 0, kCount);
        all[static_cast<std::size_t>(rank)] = stats_of(tensor.get());
      });
      double sent = 0;
      double received = 0;
      for (const goss_stats& stats : all) {
        sent += static_cast<double>(stats.bytes_sent);
        received += static_cast<double>(stats.bytes_received);
      }
      const double ratio = sent / (2.0 * (kRanks - 1) * kCount * sizeof(float));
      INFO(one.codec << " on " << topology << " sends " << ratio << " of what identity sends");
      CHECK(sent == received);
      CHECK(ratio >= one.least);
      CHECK(ratio <= one.most);
    }
  }
}

TEST_CASE("goss_comm_stats is the sum over tensors past and present, and barriers") {
  constexpr int kRanks = 3;
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    const TensorHandle first = make_tensor(comm.get(), "a", {30, 40}, "powersgd:rank=2");
    const TensorHandle second = make_tensor(comm.get(), "b", {1200}, "topk:ratio=0.05");
    TensorHandle third = make_tensor(comm.get(), "c", {1200}, "int8:ef=on");
    for (int i = 0; i < 4; ++i) {
      call(first.get(), rank, i, 1200);
      call(second.get(), rank, 10 + i, 1200);
      call(third.get(), rank, 20 + i, 1200);
    }
    goss_stats sum{};
    for (const goss_tensor* tensor : {first.get(), second.get(), third.get()}) {
      const goss_stats stats = stats_of(tensor);
      sum.calls += stats.calls;
      sum.dense_bytes += stats.dense_bytes;
      sum.bytes_sent += stats.bytes_sent;
      sum.bytes_received += stats.bytes_received;
      sum.seconds += stats.seconds;
      sum.residual_norm = std::hypot(sum.residual_norm, stats.residual_norm);
    }
    const auto check = [&](const goss_stats& total, std::uint64_t barriers) {
      const std::uint64_t bytes = barriers * (kRanks - 1);
      expect(total.calls == 12 && total.dense_bytes == sum.dense_bytes, total.calls, " calls");
      expect(total.bytes_sent == sum.bytes_sent + bytes, total.bytes_sent, " bytes sent, not ", sum.bytes_sent);
      expect(total.bytes_received == sum.bytes_received + bytes, total.bytes_received, " bytes received");
      expect(std::abs(total.seconds - sum.seconds) <= 1e-9 + 1e-12 * sum.seconds, total.seconds, " s");
    };
    const goss_stats all = stats_of(comm.get());
    check(all, 0);
    expect(std::abs(all.residual_norm - sum.residual_norm) < 1e-9 * sum.residual_norm, "norm ", all.residual_norm);
    third.reset();
    ok(goss_barrier(comm.get()), "barrier");
    ok(goss_barrier(comm.get()), "barrier");
    check(stats_of(comm.get()), 2);
  });
}

TEST_CASE("times are finite, parts do not exceed the whole, and the residual's norm is the residual's") {
  for (const std::string& codec : every_codec()) {
    ThreadGroup group(2);
    run_ranks(2, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
      const TensorHandle tensor = make_tensor(comm.get(), "w", {30, 40}, codec);
      for (int i = 0; i < 3; ++i) call(tensor.get(), rank, i, 1200);
      const goss_stats stats = stats_of(tensor.get());
      for (const double time : {stats.encode_seconds, stats.reduce_seconds, stats.decode_seconds, stats.wait_seconds}) {
        expect(time >= 0 && time <= stats.seconds * (1 + 1e-9), codec, ": ", time, " s of ", stats.seconds);
      }
      expect(stats.seconds > 0, codec, ": no time at all");
      double squares = 0;
      for (const float value : residual_of(tensor.get(), 1200)) squares += static_cast<double>(value) * value;
      const double norm = std::sqrt(squares);
      expect(std::abs(stats.residual_norm - norm) <= 1e-6 * norm, codec, ": ", stats.residual_norm, " not ", norm);
    });
  }
}

TEST_CASE("goss_stats of another version: a shorter struct gets its part, a longer one keeps its rest") {
  ThreadGroup group(1);
  const CommHandle comm = make_comm(group, 0, "transport=inproc");
  const TensorHandle tensor = make_tensor(comm.get(), "w", {10}, "identity");
  call(tensor.get(), 0, 0, 10);
  struct {
    goss_stats stats;
    std::uint64_t later[4];
  } wide;
  std::memset(&wide, 0x5a, sizeof wide);
  wide.stats.struct_size = offsetof(goss_stats, dense_bytes);
  CHECK(goss_tensor_stats(tensor.get(), &wide.stats) == GOSS_OK);
  CHECK(wide.stats.struct_size == offsetof(goss_stats, dense_bytes));
  CHECK(wide.stats.calls == 1);
  CHECK(wide.stats.dense_bytes == 0x5a5a5a5a5a5a5a5aULL);
  wide.stats.struct_size = sizeof wide;
  CHECK(goss_tensor_stats(tensor.get(), &wide.stats) == GOSS_OK);
  CHECK(wide.stats.struct_size == sizeof wide);
  CHECK(wide.stats.dense_bytes == 40);
  for (const std::uint64_t rest : wide.later) CHECK(rest == 0x5a5a5a5a5a5a5a5aULL);
  for (const std::size_t size : {std::size_t{0}, sizeof(std::size_t)}) {
    wide.stats.struct_size = size;
    CHECK(goss_tensor_stats(tensor.get(), &wide.stats) == GOSS_ERR_ARGUMENT);
    CHECK(goss_comm_stats(comm.get(), &wide.stats) == GOSS_ERR_ARGUMENT);
  }
  CHECK(goss_tensor_stats(tensor.get(), nullptr) == GOSS_ERR_ARGUMENT);
}

TEST_CASE("trace= writes one JSON timeline per rank with every call in it") {
  const Scratch scratch;
  constexpr int kRanks = 2;
  const std::string awkward = "a\"b\\c\nd\te";
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    std::uint64_t sent = 0;
    {
      const CommHandle comm = make_comm(group, rank, "transport=inproc trace=" + scratch.file("line"));
      const TensorHandle tensor = make_tensor(comm.get(), "w", {5000}, "int8");
      const TensorHandle odd = make_tensor(comm.get(), awkward, {50}, "identity");
      for (int i = 0; i < 3; ++i) call(tensor.get(), rank, i, 5000);
      sent = stats_of(tensor.get()).bytes_sent;
      std::vector<float> data(50);
      ok(goss_broadcast(odd.get(), data.data(), 1), "broadcast");
      goss_request* request = nullptr;
      ok(goss_imix(odd.get(), data.data(), &request), "mix");
      ok(goss_wait(&request), "wait");
    }
    std::ifstream file(scratch.file(sentence("line.", rank, ".json")));
    const nlohmann::json events = nlohmann::json::parse(file);
    expect(events.is_array() && events.size() == 5, events.size(), " events");
    double last = 0;
    for (const auto& event : events) {
      expect(event.at("pid") == rank && event.at("ph") == "X", event.dump());
      expect(event.at("ts").get<double>() >= last && event.at("dur").get<double>() >= 0, event.dump());
      last = event.at("ts").get<double>();
    }
    for (std::size_t i = 0; i < 3; ++i) {
      expect(events[i].at("name") == "all-reduce w", events[i].dump());
      sent -= events[i].at("args").at("bytes_sent").get<std::uint64_t>();
    }
    expect(sent == 0, "the timeline's bytes are not the statistics'");
    expect(events[3].at("name").get<std::string>().rfind("broadcast a\"b\\c", 0) == 0, events[3].dump());
    expect(events[4].at("name").get<std::string>().rfind("gossip a\"b\\c", 0) == 0, events[4].dump());
  });
}

TEST_CASE("a trace file that cannot be written fails all ranks with the system's words") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const goss_bootstrap bootstrap = group.bootstrap(rank);
    goss_comm* comm = nullptr;
    const std::string config = rank == 1 ? "transport=inproc trace=/no/such/folder/x" : "transport=inproc";
    fails(goss_comm_create(&bootstrap, config.c_str(), &comm), GOSS_ERR_SYSTEM, {"/no/such/folder/x"}, config);
  });
}

TEST_CASE("goss_codec_apply: sizes, in place, seeds") {
  const Dims dims = {60, 100};
  constexpr std::size_t kCount = 6000;
  const std::vector<float> in = normal_values(kSeed, 0, 0, kCount);
  for (const std::string& codec : every_codec()) {
    CAPTURE(codec);
    const Applied one = apply(codec, in, dims, 1);
    REQUIRE(one.status == GOSS_OK);
    CHECK(one.bytes > 0);
    CHECK(one.bytes <= kCount * sizeof(float) + 16);  // a header, where all is sent as it is
    const Applied again = apply(codec, in, dims, 1);
    CHECK(same_bits(one.out, again.out));
    std::vector<float> aliased = in;
    std::size_t bytes = 0;
    CHECK(goss_codec_apply(codec.c_str(), aliased.data(), aliased.data(), 2, dims.data(), 1, &bytes) == GOSS_OK);
    CHECK(same_bits(aliased, one.out));
    CHECK(bytes == one.bytes);
    // Of a single call: one that exchanges the tensor as it is draws nothing.
    constexpr std::string_view kDrawing[] = {"terngrad", "powersgd", "lowrank", "gradzip", "atomo"};
    const bool draws = std::ranges::any_of(kDrawing, [&](std::string_view name) { return codec.starts_with(name); });
    const bool random = codec.find("stochastic") != std::string::npos || (draws && codec.find("plus=") == codec.npos);
    CHECK(same_bits(apply(codec, in, dims, 2).out, one.out) == !random);
    CHECK(apply(codec, {}, {0}, 1).status == GOSS_OK);
    std::vector<float> bad = in;
    bad[5] = std::nanf("");
    const Applied refused = apply(codec, bad, dims, 1);
    CHECK(refused.status == GOSS_ERR_NUMERIC);
    CHECK(refused.bytes == 0);
    CHECK(same_bits(refused.out, std::vector<float>(kCount, -1.0F)));
  }
  CHECK(same_bits(apply("identity", in, dims, 1).out, in));
  CHECK(apply("identity", in, dims, 1).bytes == kCount * 4);
  CHECK(apply("topk:ratio=2", in, dims, 1).status == GOSS_ERR_ARGUMENT);
  CHECK(apply("powersgd:rank=61", in, dims, 1).status == GOSS_ERR_ARGUMENT);
  std::vector<float> out(kCount);
  CHECK(goss_codec_apply(nullptr, in.data(), out.data(), 2, dims.data(), 1, nullptr) == GOSS_ERR_ARGUMENT);
  CHECK(goss_codec_apply("int8", nullptr, out.data(), 2, dims.data(), 1, nullptr) == GOSS_ERR_ARGUMENT);
  CHECK(goss_codec_apply("int8", in.data(), nullptr, 2, dims.data(), 1, nullptr) == GOSS_ERR_ARGUMENT);
}

}  // namespace gossamer::test
