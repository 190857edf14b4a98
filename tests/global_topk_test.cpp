// gtopk and oktopk: what reaches all ranks is bounded by the share, and nothing is lost on the way.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "compress/balanced.hpp"
#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

struct Outcome {
  std::vector<float> result;
  std::vector<std::vector<float>> residuals;  // by rank
  std::uint64_t most_sent = 0;                // bytes, by any rank in the last call
};

Outcome summed(const std::string& config, const std::string& codec, std::vector<std::vector<float>> inputs,
               int calls = 1) {
  const auto n = static_cast<int>(inputs.size());
  Outcome outcome;
  outcome.residuals.resize(inputs.size());
  std::vector<std::uint64_t> sent(inputs.size());
  ThreadGroup group(n);
  run_ranks(n, [&](int rank) {
    const auto me = static_cast<std::size_t>(rank);
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 " + config);
    const TensorHandle tensor = make_tensor(comm.get(), "t", {inputs[me].size()}, codec);
    std::vector<float> data;
    for (int call = 0; call < calls; ++call) {
      goss_stats before{};
      before.struct_size = sizeof before;
      ok(goss_tensor_stats(tensor.get(), &before), "stats");
      data = inputs[me];
      ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "allreduce");
      goss_stats after = before;
      ok(goss_tensor_stats(tensor.get(), &after), "stats");
      sent[me] = after.bytes_sent - before.bytes_sent;
    }
    outcome.residuals[me] = residual_of(tensor.get(), data.size());
    if (rank == 0) outcome.result = data;
  });
  outcome.most_sent = *std::max_element(sent.begin(), sent.end());
  return outcome;
}

double total(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

TEST_CASE("gtopk keeps the mass that a merge drops though another branch delivers the index (B7)") {
  // Elements a, b, c, d. Of ranks 2 and 3 the two largest are c = 6 and d = 5, so that a = 1 is dropped, and a of ranks
  // 0 and 1 is in the final set {a, b}. Whoever keeps as residual what is not in the final set loses that 1 of 42.
  std::vector<std::vector<float>> inputs(4, std::vector<float>(16, 0.0F));
  inputs[0][0] = 10;
  inputs[0][1] = 9;
  inputs[1][0] = 6;
  inputs[1][1] = 5;
  inputs[2][2] = 6;
  inputs[2][3] = 4;
  inputs[3][0] = 1;
  inputs[3][3] = 1;
  for (const char* topology : {"ring", "hypercube", "complete", "torus:2x2"}) {
    for (const char* codec : {"gtopk:ratio=0.5", "oktopk:ratio=0.5"}) {
      const Outcome outcome = summed(sentence("topology=", topology), codec, inputs);
      double kept = 0;
      for (const auto& residual : outcome.residuals) kept += total(residual);
      CAPTURE(topology);
      CAPTURE(codec);
      CHECK(total(outcome.result) + kept == 42.0);
      CHECK(std::count_if(outcome.result.begin(), outcome.result.begin() + 4, [](float x) { return x != 0; }) == 2);
    }
  }
}

TEST_CASE("gtopk and oktopk deliver no more than their share of each part") {
  constexpr std::size_t kCount = 40000;
  for (const int n : {2, 3, 4, 7}) {
    std::vector<std::vector<float>> inputs;
    for (int rank = 0; rank < n; ++rank) inputs.push_back(normal_values(9, rank, 0, kCount));
    for (const char* codec : {"gtopk:ratio=0.01", "oktopk:ratio=0.01"}) {
      const Outcome outcome = summed("topology=ring", codec, inputs);
      const auto kept = kCount - static_cast<std::size_t>(std::count(outcome.result.begin(), outcome.result.end(), 0));
      CAPTURE(n);
      CAPTURE(codec);
      CHECK(kept > 0);
      CHECK(kept <= 400 + 20);  // each part rounds its share
    }
  }
}

namespace {

/// The top of every rank's values: anywhere, all in one eighth of the tensor, or where no other rank has its own.
std::vector<float> with_top(const std::string& where, int rank, int call, std::size_t count, int ranks) {
  std::vector<float> values = normal_values(11, rank, call, count);
  const std::size_t eighth = count / 8;
  for (std::size_t i = 0; i < count; ++i) {
    const bool top =
        where == "one region" ? i / eighth == 2 : i % static_cast<std::size_t>(ranks) == static_cast<std::size_t>(rank);
    if (where != "random" && !top) values[i] *= 1e-3F;
  }
  return values;
}

struct Moved {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

Moved moved_by(goss_tensor* tensor) {
  goss_stats stats{};
  stats.struct_size = sizeof stats;
  ok(goss_tensor_stats(tensor, &stats), "goss_tensor_stats");
  return {stats.bytes_sent, stats.bytes_received};
}

}  // namespace

TEST_CASE("oktopk moves less than 6k(n-1)/n elements, by every rank and whatever the supports, once it knows them") {
  constexpr std::size_t kCount = 40000;
  constexpr std::size_t kKept = 400;
  constexpr int kCalls = 12;
  constexpr int kLearns = 4;
  for (int n = 2; n <= 8; ++n) {
    for (const std::string where : {"random", "one region", "apart"}) {
      std::vector<std::uint64_t> most(static_cast<std::size_t>(n));
      std::size_t survivors = 0;
      ThreadGroup group(n);
      run_ranks(n, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=complete");
        const TensorHandle tensor = make_tensor(comm.get(), "t", {kCount}, "oktopk:ratio=0.01,indices=raw");
        for (int call = 0; call < kCalls; ++call) {
          const Moved before = moved_by(tensor.get());
          std::vector<float> data = with_top(where, rank, call, kCount, n);
          ok(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), "all-reduce");
          const Moved after = moved_by(tensor.get());
          if (call < kLearns) continue;
          std::uint64_t& mine = most[static_cast<std::size_t>(rank)];
          mine = std::max({mine, after.sent - before.sent, after.received - before.received});
          if (rank != 0) continue;
          survivors += kCount - static_cast<std::size_t>(std::count(data.begin(), data.end(), 0.0F));
        }
      });
      const double bound = 6.0 * kKept * (n - 1) / n * 4;
      const auto worst = static_cast<double>(*std::max_element(most.begin(), most.end()));
      const double kept = static_cast<double>(survivors) / (kCalls - kLearns);
      INFO("n = ", n, ", ", where, ": ", worst, " bytes of ", bound, " allowed, ", kept, " entries of ", kKept);
      CHECK(worst < bound);
      CHECK(kept > 0.75 * kKept);
      CHECK(kept < 1.25 * kKept);
    }
  }
}

TEST_CASE("oktopk between all ranks sends k(n-1) entries to owners and what they keep n-1 times, to the byte") {
  // Every rank's support is the same k elements, in one region: whatever the borders, of each entry one of n is its
  // owner's own.
  constexpr std::size_t kCount = 2048;  // one slab
  constexpr std::size_t kKept = 164;
  for (int ranks = 2; ranks <= 8; ++ranks) {
    const auto n = static_cast<std::size_t>(ranks);
    std::vector<std::uint64_t> sent(n);
    std::vector<std::size_t> kept(10);
    ThreadGroup group(ranks);
    run_ranks(ranks, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc topology=complete");
      const TensorHandle tensor = make_tensor(comm.get(), "t", {kCount}, "oktopk:ratio=0.0801,indices=raw,ef=off");
      for (std::size_t call = 0; call < kept.size(); ++call) {
        std::vector<float> data(kCount, 0.0F);
        for (std::size_t i = 0; i < kKept; ++i) data[500 + 7 * i] = static_cast<float>(1 + (i * 37 + call) % kKept);
        ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "all-reduce");
        if (rank == 0) kept[call] = kCount - static_cast<std::size_t>(std::count(data.begin(), data.end(), 0.0F));
      }
      sent[static_cast<std::size_t>(rank)] = moved_by(tensor.get()).sent;
    });
    std::size_t wanted = 0;
    for (const std::size_t each : kept) {
      const std::size_t headers = 2 * n * (n - 1) * 12;
      wanted += headers + 8 * (n - 1) * (kKept + each) + n * (n - 1) * 16;
    }
    INFO(n, " ranks, kept ", kept[0], " ", kept[1], " ", kept[2], " ", kept.back());
    CHECK(std::accumulate(sent.begin(), sent.end(), std::uint64_t{0}) == wanted);
    CHECK(kept.back() > kKept / 2);
  }
}

TEST_CASE("oktopk's borders share the last result's entries and are never far apart") {
  constexpr std::size_t kCount = 50000;
  Subject subject("oktopk:ratio=0.01", make_input("normal", kCount, 21));
  auto& balanced = dynamic_cast<Balanced&>(subject.codec());
  const auto borders_of = [&](std::size_t start, std::size_t length, std::size_t parts) {
    std::vector<std::size_t> borders;
    for (std::size_t i = 0; i <= parts; ++i) borders.push_back(balanced.border(start, length, i, parts));
    return borders;
  };
  CHECK(borders_of(1000, 400, 4) == std::vector<std::size_t>{1000, 1100, 1200, 1300, 1400});  // nothing is known yet
  std::vector<float> result(kCount, 0.0F);
  for (std::size_t i = 20000; i < 21000; ++i) result[i] = 1;
  balanced.learn(result);
  subject.begin(0, 2);
  for (const std::size_t parts : {1U, 2U, 3U, 8U, 50U}) {
    for (const auto& [start, length] : {std::pair<std::size_t, std::size_t>{0, kCount}, {20500, 10000}, {30000, 7}}) {
      const std::vector<std::size_t> borders = borders_of(start, length, parts);
      CHECK(borders.front() == start);
      CHECK(borders.back() == start + length);
      const auto inside = [&](std::size_t from, std::size_t to) {
        return static_cast<double>(std::count(result.begin() + static_cast<std::ptrdiff_t>(from),
                                              result.begin() + static_cast<std::ptrdiff_t>(to), 1.0F));
      };
      const double even = inside(start, start + length) / static_cast<double>(parts);
      for (std::size_t i = 0; i < parts; ++i) {
        CAPTURE(parts);
        CAPTURE(i);
        CHECK(borders[i] <= borders[i + 1]);
        CHECK(borders[i + 1] - borders[i] <= Balanced::kLongest * length / parts + 1);
        CHECK(inside(borders[i], borders[i + 1]) <= 1.34 * even + 50);  // entries within a bucket are taken as even
      }
    }
  }
}

TEST_CASE("oktopk: calls after a load give the bits of those before, borders and thresholds included") {
  constexpr std::size_t kCount = 20000;
  for (const char* topology : {"complete", "ring", "torus:2x2"}) {
    ThreadGroup group(4);
    run_ranks(4, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, sentence("transport=inproc topology=", topology));
      const TensorHandle tensor = make_tensor(comm.get(), "t", {kCount}, "oktopk:ratio=0.02,period=3");
      const auto calls = [&](int from, int to) {
        std::vector<float> results;
        for (int call = from; call < to; ++call) {
          std::vector<float> data = with_top("one region", rank, call, kCount, 4);
          ok(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), "all-reduce");
          results.insert(results.end(), data.begin(), data.end());
        }
        return results;
      };
      calls(0, 3);
      std::size_t bytes = 0;
      ok(goss_tensor_save(tensor.get(), nullptr, 0, &bytes), "size");
      std::vector<std::byte> saved(bytes);
      ok(goss_tensor_save(tensor.get(), saved.data(), saved.size(), &bytes), "save");
      const std::vector<float> first = calls(3, 6);
      calls(6, 8);
      ok(goss_tensor_load(tensor.get(), saved.data(), saved.size()), "load");
      ok(goss_barrier(comm.get()), "barrier");
      expect(same_bits(calls(3, 6), first), topology, ": other bits after a load");
    });
  }
}

TEST_CASE("agreement and conservation hold under oktopk while its borders and thresholds move") {
  constexpr std::size_t kCount = 5003;
  for (int ranks = 1; ranks <= 8; ++ranks) {
    const auto n = static_cast<std::size_t>(ranks);
    for (const std::string& topology : topologies_of(ranks)) {
      std::vector<std::vector<float>> sums(n, std::vector<float>(kCount, 0.0F));
      std::vector<std::vector<float>> residuals(n);
      std::vector<double> given(kCount, 0.0);
      const auto input = [&](int rank, int call) {
        return with_top(call % 4 < 2 ? "one region" : "apart", rank, call, kCount, ranks);
      };
      ThreadGroup group(ranks);
      run_ranks(ranks, [&](int rank) {
        const auto me = static_cast<std::size_t>(rank);
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
        const TensorHandle tensor = make_tensor(comm.get(), "t", {kCount}, "oktopk:ratio=0.02");
        for (int call = 0; call < 8; ++call) {
          std::vector<float> data = input(rank, call);
          ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), "all-reduce");
          for (std::size_t i = 0; i < kCount; ++i) sums[me][i] += data[i];
        }
        residuals[me] = residual_of(tensor.get(), kCount);
      });
      double worst = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        for (int call = 0; call < 8; ++call) {
          const std::vector<float> one = input(rank, call);
          for (std::size_t i = 0; i < kCount; ++i) given[i] += static_cast<double>(one[i]);
        }
      }
      for (std::size_t i = 0; i < kCount; ++i) {
        double lacks = given[i] - static_cast<double>(sums[0][i]);
        for (const auto& residual : residuals) lacks -= static_cast<double>(residual[i]);
        worst = std::max(worst, std::abs(lacks));
      }
      INFO(topology, ", ", ranks, " ranks: ", worst);
      CHECK(worst < 1e-3);  // of sums up to 100, in float32
      for (const auto& each : sums) CHECK(same_bits(each, sums[0]));
    }
  }
}

TEST_CASE("oktopk finds its threshold anew after `period` calls, or when it keeps too few or too many") {
  constexpr std::size_t kCount = 10000;
  constexpr std::size_t kShare = 100;
  std::vector<float> values = make_input("normal", kCount, 12);
  const auto kept_in_call = [&](Subject& subject, float scale, std::uint32_t call) {
    for (std::size_t i = 0; i < kCount; ++i) subject.values()[i] = values[i] * scale;
    subject.begin(0, call);
    const std::vector<float> out = subject.decode(subject.encode(), kCount);
    return kCount - static_cast<std::size_t>(std::count(out.begin(), out.end(), 0.0F));
  };
  Subject subject("oktopk:ratio=0.01,period=3", values);  // its first call
  const std::size_t more = kept_in_call(subject, 1.02F, 2);
  CHECK(more > kShare);
  CHECK(more <= 5 * kShare / 4);
  CHECK(kept_in_call(subject, 1.02F, 3) == more);
  CHECK(kept_in_call(subject, 1.02F, 4) == kShare);  // the period is over
  CHECK(kept_in_call(subject, 2.0F, 5) == kShare);   // too many would have been kept
  CHECK(kept_in_call(subject, 0.5F, 6) == kShare);   // too few
  CHECK(kept_in_call(subject, 0.0F, 7) == 0);
  CHECK(kept_in_call(subject, 1.0F, 8) == kShare);
}

TEST_CASE("oktopk: saved state holds the threshold") {
  constexpr std::size_t kCount = 10000;
  std::vector<float> values = make_input("normal", kCount, 13);
  Subject first("oktopk:ratio=0.01", values);
  Subject second("oktopk:ratio=0.01", make_input("normal", kCount, 14));
  std::ranges::copy(first.codec().state(), second.codec().state().begin());
  for (Subject* subject : {&first, &second}) {
    for (std::size_t i = 0; i < kCount; ++i) subject->values()[i] = values[i] * 0.99F;
    subject->begin(0, 2);
  }
  CHECK(first.encode() == second.encode());
  CHECK(second.codec().state()[1] == 2.0F);
  second.codec().reset();
  CHECK(second.codec().state()[1] == 0.0F);
}

TEST_CASE("gtopk and oktopk refuse what they do not know") {
  for (const char* spec : {"gtopk:ratio=0", "gtopk:merge=union", "gtopk:k=3", "oktopk:ratio=2", "oktopk:period=0",
                           "oktopk:period=1.5", "oktopk:merge=reselect"}) {
    CAPTURE(spec);
    CHECK_THROWS_AS(make_codec(spec, Shape{DType::float32, {100}}), Error);
  }
}

}  // namespace gossamer::test
