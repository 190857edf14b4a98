// Measuring links, and what is built on them: all ranks know the same, and a ring in any order keeps both laws.
#include "lib/link_probe.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "lib/bootstrap_round.hpp"
#include "lib/tensor.hpp"
#include "tests/world.hpp"

namespace gossamer::test {
namespace {

std::string describe(goss_comm* comm) {
  std::string text(4096, '\0');
  ok(goss_comm_describe(comm, text.data(), text.size()), "describe");
  text.resize(text.find('\0'));
  return text;
}

// The line that begins with `name`, without it.
std::string line_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 3;
  return text.substr(begin, text.find('\n', begin) - begin);
}

// Ranks 0, 2, 4, … in one rack, 1, 3, 5, … in another.
Links racks(std::span<const Place> places) {
  Links links = Links::supposed(places);
  const auto size = static_cast<int>(places.size());
  for (int a = 0; a < size; ++a) {
    for (int b = a + 1; b < size; ++b) links.set(a, b, a % 2 == b % 2 ? Link{1e-6, 1e9} : Link{1e-3, 1e7});
  }
  return links;
}

struct RankRun {
  std::vector<float> input;
  std::vector<float> result;
  std::vector<float> residual;
};

// One all-reduce over threads on a ring in the order of measured links.
RankRun run_rank(ThreadGroup& group, int rank, const std::string& codec, const Shape& shape) {
  std::vector<Place> places(static_cast<std::size_t>(group.size()));
  for (std::size_t other = 0; other < places.size(); ++other) places[other].host = other + 1;
  const Links links = racks(places);
  const Topology topology = Topology::from_spec("ring:order=measured", places, {"auto", 0, &links});
  const std::vector<Leg> legs = legs_of(topology, rank);
  std::unique_ptr<Tensor> tensor;  // outlives the endpoint, which may still write into its slots

  const TransportEntry& entry = find_transport("inproc");
  const std::unique_ptr<Endpoint> endpoint = entry.open(Options("transport inproc", Spec::parse("inproc"), entry.keys),
                                                        {.rank = rank, .size = group.size(), .interface = {}});
  const std::vector<std::byte> address = endpoint->address();
  std::vector<std::byte> all(address.size() * places.size());
  group.all_gather(rank, address.data(), all.data(), address.size());
  for (const int peer : topology.neighbours(rank)) {
    expect(group.size() < 4 || topology.neighbours(rank).size() == 2, "a ring has two neighbours");
    endpoint->connect(peer, Bytes(all).subspan(static_cast<std::size_t>(peer) * address.size(), address.size()), true);
  }
  Engine engine(*endpoint, nullptr, {rank, 20, false});
  tensor = std::make_unique<Tensor>(World{engine, topology, legs, rank, group.size(), 1, true}, "t", shape,
                                    make_codec(codec, shape));
  std::mt19937_64 random(7000 + static_cast<std::uint64_t>(rank));
  std::normal_distribution<float> normal;
  RankRun run{std::vector<float>(shape.count()), {}, std::vector<float>(shape.count())};
  for (float& value : run.input) value = normal(random);
  run.result = run.input;
  Job job;
  engine.submit(job, tensor->home(), tensor->all_reduce(reinterpret_cast<std::byte*>(run.result.data()), Op::sum),
                true);
  engine.wait(job);
  job.task = Task();
  expect(job.status == Status::ok, job.sentence);
  tensor->copy_residual(run.residual);
  group.barrier();
  return run;
}

void check_laws(const std::vector<RankRun>& ranks) {
  for (const RankRun& run : ranks) {
    CHECK(std::memcmp(run.result.data(), ranks[0].result.data(), run.result.size() * sizeof(float)) == 0);
  }
  double worst = 0;
  for (std::size_t i = 0; i < ranks[0].result.size(); ++i) {
    double lacks = ranks[0].result[i];
    double magnitude = 1 + std::abs(lacks);
    for (const RankRun& run : ranks) {
      lacks += static_cast<double>(run.residual[i]) - run.input[i];
      magnitude += std::abs(run.residual[i]) + std::abs(run.input[i]);
    }
    worst = std::max(worst, std::abs(lacks) / magnitude);
  }
  CHECK(worst <= 0x1p-23 * static_cast<double>(ranks.size() + 3));
}

}  // namespace

TEST_CASE("in a tournament everybody meets everybody else once, and nobody two at a time") {
  for (std::size_t members = 1; members <= 33; ++members) {
    INFO(members, " members");
    std::set<std::pair<std::size_t, std::size_t>> met;
    for (std::size_t round = 0; round < members; ++round) {
      for (std::size_t member = 0; member < members; ++member) {
        const std::optional<std::size_t> other = opponent(member, round, members);
        if (!other) continue;
        REQUIRE(*other < members);
        CHECK(*other != member);
        CHECK(opponent(*other, round, members) == member);
        if (member < *other) CHECK(met.emplace(member, *other).second);
      }
    }
    CHECK(met.size() == members * (members - 1) / 2);
  }
}

TEST_CASE("all ranks measure the same links, of every pair on one host and of one between two hosts") {
  // Threads that are told that they are on three hosts: 0 and 3; 1, 2 and 5; 4.
  const std::vector<Place> places = {{1, 0}, {2, 0}, {2, 0}, {1, 0}, {3, 0}, {2, 0}};
  ThreadGroup group(6);
  std::mutex mutex;
  std::vector<Links> all;
  run_ranks(6, [&](int rank) {
    const goss_bootstrap callback = group.bootstrap(rank);
    const std::unique_ptr<Bootstrap> bootstrap = callback_bootstrap(callback);
    Links links = measure_links(*bootstrap, Config::parse("transport=inproc"), places);
    const std::lock_guard lock(mutex);
    all.push_back(std::move(links));
  });
  for (int a = 0; a < 6; ++a) {
    for (int b = 0; b < 6; ++b) {
      if (a == b) continue;
      const Link& link = all.front().between(a, b);
      CHECK(link.latency_seconds > 0);
      CHECK(link.bytes_per_second > 0);
      CHECK(std::isfinite(link.bytes_per_second));
      for (const Links& links : all) {
        CHECK(links.between(a, b).latency_seconds == link.latency_seconds);
        CHECK(links.between(b, a).bytes_per_second == link.bytes_per_second);
      }
    }
  }
  const Links& links = all.front();
  CHECK(links.between(0, 1).latency_seconds == links.between(3, 5).latency_seconds);
  CHECK(links.between(2, 4).bytes_per_second == links.between(1, 4).bytes_per_second);
}

TEST_CASE("when a rank cannot measure, all ranks fail and say which") {
  const std::vector<Place> places(3);
  ThreadGroup group(3);
  std::mutex mutex;
  std::vector<std::string> failures;
  run_ranks(3, [&](int rank) {
    const goss_bootstrap callback = group.bootstrap(rank);
    const std::unique_ptr<Bootstrap> bootstrap = callback_bootstrap(callback);
    try {
      if (rank != 1) {
        measure_links(*bootstrap, Config::parse("transport=inproc timeout=0.2"), places);
      } else {
        // What measure_links does, but for the measuring.
        const TransportEntry& entry = find_transport("inproc");
        const auto endpoint = entry.open(Options("transport inproc", Spec::parse("inproc"), entry.keys),
                                         {.rank = rank, .size = 3, .interface = {}});
        round<Nothing>(*bootstrap, [](Nothing&) {});
        gather_blobs(*bootstrap, endpoint->address());
        round<Nothing>(*bootstrap, [](Nothing&) { fail(Status::system, "the cable is out"); });
      }
    } catch (const Error& error) {
      expect(error.status() == Status::system, error.what());
      const std::lock_guard lock(mutex);
      failures.emplace_back(error.what());
    }
  });
  std::sort(failures.begin(), failures.end());
  CHECK(failures ==
        std::vector<std::string>{"rank 1: the cable is out", "rank 1: the cable is out", "the cable is out"});
}

TEST_CASE("communicators of measured topologies agree, say what they measured and chose, and sum") {
  for (const std::string spec : {"ring:order=measured", "auto", "auto:bytes=1024"}) {
    for (const int n : {1, 2, 3, 5}) {
      INFO(spec, ", ", n, " ranks");
      ThreadGroup group(n);
      std::vector<std::string> texts(static_cast<std::size_t>(n));
      run_ranks(n, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + spec);
        texts[static_cast<std::size_t>(rank)] = describe(comm.get());
        const TensorHandle tensor = make_tensor(comm.get(), "t", {1000}, "identity");
        std::vector<float> data(1000, static_cast<float>(rank + 1));
        ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "all-reduce");
        for (const float value : data) expect(value == static_cast<float>(n * (n + 1) / 2), "the sum is ", value);
      });
      for (const std::string& text : texts) {
        CHECK_MESSAGE(line_of(text, "chosen") == line_of(texts[0], "chosen"), text);
        CHECK(!line_of(text, "chosen").empty());
        CHECK((line_of(text, "links").find(", measured in ") != std::string::npos) == (n > 1));
      }
    }
  }
}

TEST_CASE("topologies that need no measuring measure nothing") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const std::string text = describe(make_comm(group, rank, "transport=inproc topology=ring").get());
    expect(line_of(text, "links").empty() && line_of(text, "chosen").empty(), text);
  });
}

TEST_CASE("agreement and conservation on a ring in another order than that of the ranks") {
  for (const std::string codec : {"identity", "int8", "topk:ratio=0.05,ef=on"}) {
    for (const int n : {1, 2, 3, 4, 7, 8}) {
      for (const std::size_t count : {std::size_t{1}, std::size_t{1009}, std::size_t{20011}}) {
        INFO(codec, ", ", n, " ranks, ", count, " values, seeds 7000 + rank");
        ThreadGroup group(n);
        std::vector<RankRun> ranks(static_cast<std::size_t>(n));
        run_ranks(n, [&](int rank) {
          ranks[static_cast<std::size_t>(rank)] = run_rank(group, rank, codec, {DType::float32, {count}});
        });
        check_laws(ranks);
      }
    }
  }
}

}  // namespace gossamer::test
