// What gossip methods make of rounds in which ranks die: here the test carries the messages, and so decides which of a
// dead rank's messages reach whom.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <optional>
#include <random>

#include "lib/gossip/living.hpp"
#include "tests/gossip_cases.hpp"

namespace gossamer::test {
namespace {

struct Method {
  std::string mixing;
  std::string codec;
  std::string topology;
};

std::ostream& operator<<(std::ostream& out, const Method& method) {
  return out << method.mixing << ", " << method.codec << ", " << method.topology;
}

/// All ranks of a job, and the wires between them.
class Village {
 public:
  static constexpr std::size_t kRows = 100;
  static constexpr std::size_t kColumns = 330;
  static constexpr std::size_t kCount = kRows * kColumns;

  Village(const Method& method, int ranks, std::uint64_t seed)
      : entry_(find_mixing(method.mixing)),
        topology_(Topology::from_spec(method.topology, std::vector<Place>(static_cast<std::size_t>(ranks)))),
        random_(seed),
        seed_(seed),
        alive_(static_cast<std::size_t>(ranks), 1) {
    const Shape shape{DType::float32, {kRows, kColumns}};
    for (int rank = 0; rank < ranks; ++rank) {
      models.push_back(normal_values(seed, rank, 0, kCount));
      mixers_.push_back(make_mixer(method.mixing, {shape, method.codec, topology_, rank, true}));
    }
  }

  std::vector<std::vector<float>> models;

  [[nodiscard]] int size() const noexcept { return topology_.size(); }
  [[nodiscard]] bool dead(int rank) const noexcept { return alive_[index(rank)] == 0; }
  [[nodiscard]] std::vector<int> living() const {
    std::vector<int> ranks;
    for (int rank = 0; rank < size(); ++rank) {
      if (!dead(rank)) ranks.push_back(rank);
    }
    return ranks;
  }

  /// One round, at some moment of which those ranks die: each neighbour gets some of their messages.
  void round(const std::vector<int>& dying = {}) {
    std::vector<Neighbourhood> arounds(alive_.size());
    std::vector<std::optional<GossipRound>> rounds(alive_.size());
    const std::vector<int> there = living();
    for (const int i : there) {
      arounds[index(i)] = among_the_living(topology_.at(i, round_), entry_.needs, [&](int r) { return dead(r); });
      const Chunk data{reinterpret_cast<std::byte*>(models[index(i)].data()), kCount, 0};
      const auto call = static_cast<std::uint32_t>(round_);
      rounds[index(i)].emplace(
          GossipRound{arounds[index(i)], data,
                      StepContext{{seed_, call, 0}, {seed_, call, static_cast<std::uint32_t>(i) + 1}, 1, 1}, true});
      mixers_[index(i)]->begin(*rounds[index(i)]);
    }
    const std::vector<Wires> wires = lay_wires(arounds, dying);
    const std::size_t messages = mixers_[index(there.front())]->messages();
    for (std::size_t m = 0; m < messages; ++m) deliver(m, arounds, wires);
    ++round_;
    for (const int rank : dying) alive_[index(rank)] = 0;
    for (const int i : living()) mixers_[index(i)]->end();
  }

  [[nodiscard]] double weight(int rank) const { return weighted(rank).weight(); }
  /// What the living say of the weight that the dead have of theirs.
  [[nodiscard]] double lost_weight() const {
    double lost = 0;
    for (int other = 0; other < size(); ++other) {
      if (!dead(other)) continue;
      lost += 1;
      for (const int rank : living()) lost += weighted(rank).given_to(other);
    }
    return lost;
  }
  /// Sum of the living ranks' weights times models, element by element.
  [[nodiscard]] std::vector<double> mass(bool by_weight) const {
    std::vector<double> sum(kCount);
    for (const int rank : living()) {
      const double w = by_weight ? weight(rank) : 1;
      for (std::size_t i = 0; i < kCount; ++i) sum[i] += w * static_cast<double>(models[index(rank)][i]);
    }
    return sum;
  }

 private:
  /// By in-neighbour: how many of its messages arrive.
  using Wires = std::vector<std::size_t>;

  static std::size_t index(int rank) noexcept { return static_cast<std::size_t>(rank); }
  [[nodiscard]] const Weighted& weighted(int rank) const {
    return dynamic_cast<const Weighted&>(*mixers_[index(rank)]);
  }

  std::vector<Wires> lay_wires(const std::vector<Neighbourhood>& arounds, const std::vector<int>& dying) {
    std::vector<Wires> all;
    for (const Neighbourhood& around : arounds) {
      Wires& wires = all.emplace_back();
      for (const Edge& edge : around.in) {
        const bool dies = std::ranges::find(dying, edge.rank) != dying.end();
        const std::size_t messages = mixers_[index(edge.rank)]->messages();
        wires.push_back(dies ? random_() % (messages + 1) : messages);
      }
    }
    return all;
  }

  void deliver(std::size_t message, const std::vector<Neighbourhood>& arounds, const std::vector<Wires>& wires) {
    std::vector<std::vector<std::byte>> payloads(alive_.size());
    for (const int i : living()) {
      std::vector<std::byte> slot(mixers_[index(i)]->capacity());
      const Bytes given = mixers_[index(i)]->give(message, slot);
      payloads[index(i)].assign(given.begin(), given.end());
    }
    for (const int i : living()) {
      Mixer& mixer = *mixers_[index(i)];
      std::vector<Note> notes;
      std::vector<Bytes> arrived;
      for (std::size_t j = 0; j < arounds[index(i)].in.size(); ++j) {
        const int from = arounds[index(i)].in[j].rank;
        if (wires[index(i)][j] == message) mixer.lose(j);
        const bool comes = wires[index(i)][j] > message;
        Note note{.weight = comes ? 1.0 : 0.0};
        if (comes && message == 0) mixers_[index(from)]->tell(note);
        notes.push_back(note);
        arrived.push_back(comes ? Bytes(payloads[index(from)]) : Bytes());
      }
      if (message == 0) heard_.push_back({i, std::move(notes)});
      taken_.push_back({i, std::move(arrived)});
    }
    // Nobody's weight changes before all have told theirs.
    for (auto& [i, notes] : heard_) mixers_[index(i)]->hear(notes, true);
    for (auto& [i, arrived] : taken_) mixers_[index(i)]->take(message, arrived);
    heard_.clear();
    taken_.clear();
  }

  const MixingEntry& entry_;
  Topology topology_;
  std::mt19937_64 random_;
  std::uint64_t seed_;
  std::uint64_t round_ = 0;
  std::vector<char> alive_;
  std::vector<std::unique_ptr<Mixer>> mixers_;
  std::vector<std::pair<int, std::vector<Note>>> heard_;
  std::vector<std::pair<int, std::vector<Bytes>>> taken_;
};

/// Largest difference of an element.
double difference(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// Largest distance of a living rank's value from the living ranks' mean.
double spread(const Village& village) {
  const std::vector<double> sum = village.mass(false);
  const auto ranks = static_cast<double>(village.living().size());
  double worst = 0;
  for (const int rank : village.living()) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      worst = std::max(
          worst, std::abs(static_cast<double>(village.models[static_cast<std::size_t>(rank)][i]) - sum[i] / ranks));
    }
  }
  return worst;
}

constexpr int kRanks = 8;
constexpr std::uint64_t kSeed = 4242;

}  // namespace

TEST_CASE("models that agree stay as they are, whatever of a dying rank's messages reaches whom") {
  for (const Method& method :
       {Method{"average", "identity", "ring"}, Method{"average", "identity", "exponential"},
        Method{"average", "identity", "base:k=1"}, Method{"push-sum", "identity", "exponential"},
        Method{"moniqua:bits=16", "identity", "ring"}, Method{"choco:gamma=1", "identity", "ring"},
        Method{"choco-push-sum:gamma=1", "identity", "exponential"}, Method{"deepsqueeze:eta=1", "identity", "ring"}}) {
    INFO(method << ", seed " << kSeed);
    Village village(method, kRanks, kSeed);
    for (std::vector<float>& model : village.models) model = village.models.front();
    const std::vector<float> start = village.models.front();
    village.round();
    village.round({3});
    village.round();
    village.round({6, 0});
    village.round();
    double worst = 0;
    for (const int rank : village.living()) {
      const std::vector<float>& model = village.models[static_cast<std::size_t>(rank)];
      for (std::size_t i = 0; i < model.size(); ++i) {
        worst = std::max(worst, static_cast<double>(std::abs(model[i] - start[i])));
      }
    }
    CHECK(worst < 2e-5);
  }
}

TEST_CASE("average and push-sum never leave the range of the values that there were") {
  for (const Method& method : {Method{"average", "identity", "ring"}, Method{"average", "identity", "exponential"},
                               Method{"average", "identity", "base:k=1"}, Method{"push-sum", "identity", "ring"},
                               Method{"push-sum", "identity", "exponential"}}) {
    INFO(method << ", seed " << kSeed);
    Village village(method, kRanks, kSeed);
    std::vector<float> low = village.models.front();
    std::vector<float> high = low;
    for (const std::vector<float>& model : village.models) {
      for (std::size_t i = 0; i < model.size(); ++i) {
        low[i] = std::min(low[i], model[i]);
        high[i] = std::max(high[i], model[i]);
      }
    }
    for (const std::vector<int>& dying : {std::vector<int>{}, {5}, {}, {1}, {2, 7}, {}, {}}) {
      village.round(dying);
      float outside = 0;
      for (const int rank : village.living()) {
        const std::vector<float>& model = village.models[static_cast<std::size_t>(rank)];
        for (std::size_t i = 0; i < model.size(); ++i)
          outside = std::max({outside, low[i] - model[i], model[i] - high[i]});
      }
      CHECK(outside < 1e-6F);
    }
  }
}

TEST_CASE("on symmetric graphs the survivors' mean stays, from the round after a death on, and they come to it") {
  struct Case {
    Method method;
    double tolerance;  // of the mean, per element
    double left;       // of what the ranks differed by
  };
  for (const Case& one : {Case{{"average", "identity", "torus:2x4"}, 1e-6, 1e-3},
                          Case{{"choco:gamma=1", "identity", "torus:2x4"}, 1e-4, 1e-3},
                          Case{{"choco:gamma=0.3", "topk:ratio=0.3", "torus:2x4"}, 1e-4, 0.1},
                          Case{{"choco:gamma=0.2", "powersgd:rank=8", "complete"}, 1e-4, 0.9},
                          Case{{"deepsqueeze:eta=0.5", "int8", "torus:2x4"}, 1e-4, 0.1},
                          Case{{"moniqua:theta=8,bits=16", "identity", "torus:2x4"}, 1e-3, 1e-3}}) {
    INFO(one.method << ", seed " << kSeed);
    Village village(one.method, kRanks, kSeed);
    village.round();
    village.round({2});
    village.round({5});
    const std::vector<double> sum = village.mass(false);
    const double apart = spread(village);
    for (int round = 0; round < 70; ++round) village.round();
    CHECK(difference(village.mass(false), sum) < one.tolerance * static_cast<double>(village.living().size()));
    CHECK(spread(village) < one.left * apart);
  }
}

TEST_CASE("weights: the living have n less what they say the dead took, and mass does not change without deaths") {
  for (const Method& method : {Method{"push-sum", "identity", "exponential"}, Method{"push-sum", "identity", "ring"},
                               Method{"push-sum", "identity", "one-peer-exponential"},
                               Method{"choco-push-sum:gamma=0.5", "identity", "exponential"},
                               Method{"choco-push-sum:gamma=0.2", "topk:ratio=0.2", "exponential"}}) {
    INFO(method << ", seed " << kSeed);
    Village village(method, kRanks, kSeed);
    for (const std::vector<int>& dying : {std::vector<int>{}, {}, {4}, {}, {1, 6}, {}, {}}) {
      const std::vector<double> before = village.mass(true);
      village.round(dying);
      double weights = 0;
      for (const int rank : village.living()) weights += village.weight(rank);
      CHECK(std::abs(weights + village.lost_weight() - kRanks) < 1e-12);
      CHECK(weights <= kRanks + 1e-12);
      if (dying.empty()) CHECK(difference(village.mass(true), before) < 1e-4);
    }
  }
}

TEST_CASE("who is cut off by deaths") {
  const std::vector<Place> places(8);
  const auto cut = [&](const char* spec, std::vector<int> dead) {
    const Topology topology = Topology::from_spec(spec, places);
    return cut_off_from(0, topology, [&](int rank) { return std::ranges::find(dead, rank) != dead.end(); });
  };
  CHECK(cut("ring", {3}).empty());
  CHECK(cut("ring", {2, 5}) == std::vector<int>{3, 4});
  CHECK(cut("ring", {1, 7}) == std::vector<int>{2, 3, 4, 5, 6});
  CHECK(cut("complete", {1, 2, 3}).empty());
  CHECK(cut("exponential", {1, 2}) == std::vector<int>{});
  CHECK(cut("exponential", {1, 2, 4}) == std::vector<int>{3, 5, 6, 7});  // rank 0 hears, but nobody hears it
}

TEST_CASE("as long as nobody dies, on_failure=continue changes nothing") {
  for (const gossip::Setting& setting :
       {gossip::Setting{"average"}, gossip::Setting{"push-sum", "identity", "exponential"},
        gossip::Setting{"moniqua:theta=8"}, gossip::Setting{"choco:gamma=0.3", "topk:ratio=0.1"},
        gossip::Setting{"choco:gamma=0.3", "powersgd:rank=2"},
        gossip::Setting{"choco-push-sum:gamma=0.3", "int8", "exponential"},
        gossip::Setting{"deepsqueeze:eta=0.3", "int8"}}) {
    gossip::Setting goes_on = setting;
    goes_on.more = " on_failure=continue";
    INFO(setting.mixing);
    CHECK(gossip::mixed(setting, 5, 8) == gossip::mixed(goes_on, 5, 8));
  }
}

TEST_CASE("a step size that all ranks would have to agree on is refused where one may die") {
  for (const char* mixing : {"choco", "deepsqueeze:eta=auto"}) {
    ThreadGroup group(2);
    run_ranks(2, [&](int rank) {
      const CommHandle comm =
          make_comm(group, rank, std::string("transport=inproc on_failure=continue mixing=") + mixing);
      const TensorHandle tensor = make_tensor(comm.get(), "w", {4}, "identity");
      std::vector<float> model(4, 1);
      fails(goss_mix(tensor.get(), model.data()), GOSS_ERR_ARGUMENT, {mixing, "step size", "=0.3"}, mixing);
      ok(goss_allreduce(tensor.get(), model.data(), GOSS_SUM), "an all-reduce after a refusal");
    });
  }
}

}  // namespace gossamer::test
