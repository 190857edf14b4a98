// Gossip methods: the mean stays, disagreement goes, and what a rank remembers can be saved.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "compress/codec.hpp"
#include "tests/gossip_cases.hpp"

namespace gossamer::test::gossip {
namespace {

/// A spec of every codec with little enough loss for a few hundred rounds.
std::string mild(std::string_view codec) {
  if (codec == "powersgd" || codec == "lowrank" || codec == "gradzip") return std::string(codec) + ":rank=4";
  if (codec == "sketch") return "sketch:k=48";
  if (codec == "threshold") return "threshold:v=0.05";
  if (codec == "strom") return "strom:tau=0.1";
  if (codec == "gradiveq") return "gradiveq:slice=20,dims=8,refresh=10";
  if (codec == "atomo") return "atomo:budget=0.3";
  const CodecEntry& entry = *std::ranges::find(codecs(), codec, &CodecEntry::name);
  const bool sparse = std::ranges::any_of(entry.keys, [](const Key& key) { return key.name == "ratio"; });
  return sparse ? std::string(codec) + ":ratio=0.1" : std::string(codec);
}

}  // namespace

TEST_CASE("every method keeps the mean and brings the ranks together, on every topology") {
  const std::vector<Setting> settings = {{"average"},
                                         {"push-sum"},
                                         {"choco", "topk:ratio=0.2"},
                                         {"choco-push-sum", "topk:ratio=0.2"},
                                         {"choco"},
                                         {"moniqua:theta=12,bits=12"},
                                         {"powergossip:rank=8,iterations=2"},
                                         {"dcd", "int8"},
                                         {"deepsqueeze", "int8"},
                                         {"ecd", "qsgd:bits=8"}};
  for (Setting setting : settings) {
    for (const int ranks : {1, 2, 3, 5, 8}) {
      for (const std::string& topology : topologies_of(ranks)) {
        setting.topology = topology;
        INFO(described(setting, ranks));
        const Models before = starts(ranks);
        const Models after = mixed(setting, ranks, 60);
        const std::vector<double> mean = mean_of(before);
        Models centre(1);
        for (const double value : mean_of(after)) centre.front().push_back(static_cast<float>(value));
        CHECK(distance(centre, mean) < drift(setting.mixing));
        CHECK(distance(after, mean_of(after)) <= 0.05 * distance(before, mean));
      }
    }
  }
}

TEST_CASE("choco takes every codec, with gamma=auto, on a ring, a torus and a random graph") {
  for (const CodecEntry& entry : codecs()) {
    for (const std::string topology : {"ring", "torus:2x2", "erdos-renyi:p=0.6"}) {
      const Setting setting{"choco", mild(entry.name), topology};
      INFO(described(setting, 4));
      const Models before = starts(4);
      const std::vector<double> mean = mean_of(before);
      const Models after = mixed(setting, 4, 400);
      Models centre(1);
      for (const double value : mean_of(after)) centre.front().push_back(static_cast<float>(value));
      CHECK(distance(centre, mean) < drift(setting.mixing));
      CHECK(distance(after, mean) < 0.1 * distance(before, mean));
    }
  }
}

TEST_CASE("choco: a step that is too long diverges, as theory has it; gamma=auto finds one that does not") {
  INFO("seed " << kSeed);
  const Models before = starts(8);
  const std::vector<double> mean = mean_of(before);
  const auto left = [&](const std::string& mixing) {
    return distance(mixed({mixing, "topk:ratio=0.01"}, 8, 300), mean) / distance(before, mean);
  };
  CHECK(left("choco:gamma=0.5") > 10);
  CHECK(left("choco:gamma=0.01") < 1);
  CHECK(left("choco:gamma=auto") < 0.5);
}

TEST_CASE("moniqua is right to delta·B while neighbours differ by less than theta, and wrong beyond") {
  constexpr double kTheta = 2;
  for (const int bits : {1, 2, 4, 8, 16}) {
    const double circle = 2 * kTheta / (1 - std::ldexp(1.0, -bits));
    const double error = circle * std::ldexp(1.0, -bits - 1);
    ThreadGroup group(2);
    run_ranks(2, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, sentence("transport=inproc mixing=moniqua:theta=2,bits=", bits));
      const TensorHandle tensor = make_tensor(comm.get(), "w", {1000}, "identity");
      const std::vector<float> base = normal_values(kSeed, -1, 3, 1000);
      std::vector<float> model(1000);
      std::vector<double> middle(1000);
      for (std::size_t i = 0; i < 1000; ++i) {
        const double apart = (i == 999 ? 1.3 : 0.999 * std::sin(static_cast<double>(i))) * kTheta;
        const double centre = 100 * static_cast<double>(base[i]);
        model[i] = static_cast<float>(centre + (rank == 0 ? -apart / 2 : apart / 2));
        middle[i] = centre;
      }
      ok(goss_mix(tensor.get(), model.data()), "mix");
      for (std::size_t i = 0; i < 999; ++i) {
        // Half of the way, by two values that are each off by at most `error`.
        const double off = std::abs(static_cast<double>(model[i]) - middle[i]);
        expect(off <= error + 1e-4, bits, " bits: element ", i, " is off by ", off, ", allowed ", error);
      }
      if (bits > 2) {
        const double off = std::abs(static_cast<double>(model[999]) - middle[999]);
        expect(off > kTheta / 2, "a difference above theta cannot be told, but is off by ", off, " only");
      }
    });
  }
}

TEST_CASE("every size and type: 0, 1, prime, more than one message; float64, float16, bfloat16") {
  for (const Setting& setting : {Setting{"average"}, Setting{"push-sum"}, Setting{"choco", "topk:ratio=0.3"},
                                 Setting{"deepsqueeze", "bf16"}, Setting{"choco", "powersgd:rank=1"},
                                 Setting{"dcd", "fp16"}, Setting{"moniqua:theta=20,bits=16"}, Setting{"powergossip"}}) {
    for (const std::size_t count : {0UL, 1UL, 1009UL, 300007UL}) {
      ThreadGroup group(3);
      run_ranks(3, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 mixing=" + setting.mixing);
        const TensorHandle tensor = make_tensor(comm.get(), "w", {count}, setting.codec);
        std::vector<float> model = normal_values(kSeed, rank, 4, count);
        for (int round = 0; round < 20; ++round) ok(goss_mix(tensor.get(), model.data()), setting.mixing);
        std::vector<double> mean(count);
        for (int other = 0; other < 3; ++other) {
          const std::vector<float> theirs = normal_values(kSeed, other, 4, count);
          for (std::size_t i = 0; i < count; ++i) mean[i] += static_cast<double>(theirs[i]) / 3;
        }
        double squares = 0;
        for (std::size_t i = 0; i < count; ++i) {
          squares += (static_cast<double>(model[i]) - mean[i]) * (static_cast<double>(model[i]) - mean[i]);
        }
        const double off = count == 0 ? 0 : std::sqrt(squares / static_cast<double>(count));
        expect(off < 0.1, setting.mixing, " with ", setting.codec, ", ", count, " elements: ", off, " from the mean");
      });
    }
    for (const goss_dtype type : {GOSS_FLOAT64, GOSS_FLOAT16, GOSS_BFLOAT16}) {
      ThreadGroup group(2);
      run_ranks(2, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 mixing=" + setting.mixing);
        const TensorHandle tensor = make_tensor(comm.get(), "w", {2}, setting.codec, type);
        double doubles[2] = {rank == 0 ? 1.0 : 3.0, 0.5};
        std::uint16_t halves[2] = {0x3c00, 0x3800};                         // 1 and 0.5 in float16
        if (rank == 1) halves[0] = type == GOSS_FLOAT16 ? 0x4200 : 0x4040;  // 3
        if (type == GOSS_BFLOAT16) halves[1] = 0x3f00;
        if (type == GOSS_BFLOAT16 && rank == 0) halves[0] = 0x3f80;
        void* data = type == GOSS_FLOAT64 ? static_cast<void*>(doubles) : halves;
        for (int round = 0; round < 60; ++round) ok(goss_mix(tensor.get(), data), setting.mixing);
        const bool two = type == GOSS_FLOAT64 ? std::abs(doubles[0] - 2) < 0.02
                                              : std::abs(halves[0] - 0x4000) <= (type == GOSS_FLOAT16 ? 0x10 : 2);
        expect(two, setting.mixing, " with ", setting.codec, ": the mean of 1 and 3 is ", doubles[0], " ", halves[0]);
      });
    }
  }
}

TEST_CASE("NaN is NUMERIC for its rank and the neighbours, who keep their models; the others go on, and all after it") {
  for (const Setting& setting :
       {Setting{"average"}, Setting{"push-sum"}, Setting{"choco", "topk:ratio=0.3"}, Setting{"deepsqueeze", "int8"},
        Setting{"dcd", "int8"}, Setting{"moniqua:theta=9"}, Setting{"powergossip:rank=6,iterations=2"}}) {
    constexpr int kRanks = 6;
    constexpr int kCulprit = 2;
    ThreadGroup group(kRanks);
    Models models(kRanks);
    run_ranks(kRanks, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 mixing=" + setting.mixing);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, setting.codec);
      std::vector<float> model = start_of(rank);
      for (int round = 0; round < 40; ++round) {
        const std::vector<float> before = model;
        if (round == 3 && rank == kCulprit) model[7] = std::nanf("");
        const std::vector<float> given = model;
        const goss_status status = goss_mix(tensor.get(), model.data());
        if (round == 3 && std::abs(rank - kCulprit) <= 1) {
          fails(status, GOSS_ERR_NUMERIC, {"'w'", "rank 2"}, setting.mixing);
          expect(same_bits(model, given), setting.mixing, ": rank ", rank, "'s model was touched");
          model = before;
        } else {
          ok(status, setting.mixing);
        }
      }
      models[static_cast<std::size_t>(rank)] = std::move(model);
    });
    INFO(described(setting, kRanks));
    CHECK(distance(models, mean_of(models)) < 0.2 * distance(starts(kRanks), mean_of(starts(kRanks))));
  }
}

TEST_CASE("what a rank remembers is saved, loaded, and forgotten by a reset") {
  for (const Setting& setting :
       {Setting{"push-sum"}, Setting{"choco", "topk:ratio=0.1"}, Setting{"choco", "powersgd:rank=2"},
        Setting{"choco-push-sum", "int8"}, Setting{"deepsqueeze", "topk:ratio=0.3"}, Setting{"dcd", "int8"},
        Setting{"ecd", "qsgd:bits=8"}, Setting{"powergossip:rank=2,iterations=3"}}) {
    ThreadGroup group(4);
    run_ranks(4, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0 mixing=" + setting.mixing);
      TensorHandle tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, setting.codec);
      const auto rounds = [&](std::vector<float> model, int count) {
        for (int round = 0; round < count; ++round) ok(goss_mix(tensor.get(), model.data()), setting.mixing);
        return model;
      };
      const std::vector<float> half_way = rounds(start_of(rank), 11);
      std::size_t bytes = 0;
      ok(goss_tensor_save(tensor.get(), nullptr, 0, &bytes), "save");
      std::vector<char> saved(bytes);
      ok(goss_tensor_save(tensor.get(), saved.data(), bytes, &bytes), "save");
      const std::vector<float> uninterrupted = rounds(half_way, 11);
      group.barrier();
      tensor.reset();
      tensor = make_tensor(comm.get(), "w", {kRows, kColumns}, setting.codec);
      ok(goss_tensor_load(tensor.get(), saved.data(), bytes), "load");
      expect(same_bits(rounds(half_way, 11), uninterrupted), setting.mixing, " with ", setting.codec,
             ": not the same after a restart");
      ok(goss_tensor_reset(tensor.get()), "reset");
      const std::vector<float> again = rounds(start_of(rank), 11);
      expect(same_bits(again, half_way), setting.mixing, " with ", setting.codec, ": a reset forgets not all");
    });
  }
}

TEST_CASE("methods and keys that are unknown, codecs that do not fit, and ranks that make another call") {
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const auto refused = [&](const std::string& mixing, const std::vector<std::string>& words) {
      const goss_bootstrap bootstrap = group.bootstrap(rank);
      goss_comm* comm = nullptr;
      const std::string config = "transport=inproc mixing=" + mixing;
      fails(goss_comm_create(&bootstrap, config.c_str(), &comm), GOSS_ERR_ARGUMENT, words, mixing);
    };
    refused("gossip", {"gossip", "average", "choco", "moniqua"});
    refused("choco:eta=1", {"eta", "gamma"});
    const CommHandle comm = make_comm(group, rank, "transport=inproc timeout=1");
    const TensorHandle lossy = make_tensor(comm.get(), "v", {5000}, "int8");
    std::vector<float> data(5000, 1.0F);
    fails(goss_mix(lossy.get(), data.data()), GOSS_ERR_UNSUPPORTED, {"'v'", "int8", "average", "choco"}, "average");
    const TensorHandle tensor = make_tensor(comm.get(), "w", {5000}, "identity");
    const goss_status status =
        rank == 0 ? goss_mix(tensor.get(), data.data()) : goss_allreduce(tensor.get(), data.data(), GOSS_SUM);
    fails(status, GOSS_ERR_TIMEOUT, {"'w'"}, "another call");
    group.barrier();
  });
}

}  // namespace gossamer::test::gossip
