// Gossip that goes on when ranks are killed: on_failure=continue. Ranks are processes here, over UCX.
#include <doctest/doctest.h>

#include <cmath>
#include <regex>
#include <set>

#include "lib/gossip/living.hpp"
#include "tests/failure/checks.hpp"

namespace gossamer::failure {
namespace {

constexpr int kRanks = 8;
constexpr std::size_t kElements = 33'000;  // two messages of a round
constexpr std::uint64_t kFurther = 20;     // calls, until the news is everywhere

struct Scene {
  std::string topology;
  std::string mixing;  ///< empty: asynchronous
  int deaths;
  std::uint64_t calls;  ///< ranks die in the first half of them
  double apart;         ///< how far ranks that still hear each other may be apart at the end
  std::string codec = "identity";
  bool reduces = false;  ///< each round follows an all-reduce, as long as these succeed

  [[nodiscard]] std::string config() const {
    return sentence("on_failure=continue log=error topology=", topology, mixing.empty() ? "" : " mixing=", mixing);
  }
};

template <typename Predicate>
bool wait_until(Predicate&& is) {
  for (const Deadline deadline = Deadline::in(kHangSeconds); !is();) {
    if (deadline.expired()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// A job in which some ranks are killed, and what must become of the others.
class Drama {
 public:
  Drama(const Scene& scene, std::uint64_t seed)
      : scene_(scene),
        random_(seed),
        topology_(Topology::from_spec(scene.topology, std::vector<Place>(kRanks))),
        fleet_(GOSSAMER_GOSSIP_WORKER, kRanks, plan_of(scene, seed)) {}

  void play() {
    fleet_.board().allowed = scene_.calls;
    fleet_.start_all();
    kill_some();
    REQUIRE_MESSAGE(all_survivors([&](const Report& report) { return report.calls >= scene_.calls; }), say());
    let_the_news_spread();
    if (scene_.mixing.empty()) drain();
    fleet_.board().end = 1;
    REQUIRE(all_survivors([](const Report& report) { return report.at() == Stage::gone; }));
    for (const int rank : survivors_) CHECK(fleet_.exit_code(rank, kHangSeconds) == 0);
    check_calls();
    check_models();
    if (weighted()) check_weights();
  }

 private:
  static Plan plan_of(const Scene& scene, std::uint64_t seed) {
    Plan plan;
    copy_text(plan.config, sizeof plan.config, scene.config());
    copy_text(plan.codec, sizeof plan.codec, scene.codec);
    plan.elements = kElements;
    if (scene.mixing.empty()) plan.gossip = Gossip::push_pull;
    if (scene.reduces) plan.gossip = Gossip::all_reduce_and_mix;
    plan.seed = seed;
    return plan;
  }
  [[nodiscard]] bool weighted() const {
    return scene_.mixing.empty() || find_mixing(scene_.mixing).needs == Stochastic::columns;
  }

  void kill_some() {
    std::vector<int> order(kRanks);
    for (int rank = 0; rank < kRanks; ++rank) order[static_cast<std::size_t>(rank)] = rank;
    std::shuffle(order.begin(), order.end(), random_);
    survivors_.assign(order.begin() + scene_.deaths, order.end());
    std::sort(survivors_.begin(), survivors_.end());
    // Ranks that do not wait for each other may run ahead of others' registration.
    REQUIRE_MESSAGE(fleet_.reach(Stage::running, kHangSeconds), say());
    for (const int victim : std::span(order).first(static_cast<std::size_t>(scene_.deaths))) {
      const std::uint64_t moment = 1 + random_() % (scene_.calls / 2);
      INFO("to be killed: rank " << victim << ", in call " << moment);
      REQUIRE_MESSAGE(wait_until([&] { return fleet_.report(victim).calls >= moment; }), say());
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % 2000));
      fleet_.kill_rank(victim);
      victims_.insert(victim);
    }
  }

  template <typename Predicate>
  bool all_survivors(Predicate&& is) {
    return wait_until([&] {
      return std::ranges::all_of(
          survivors_, [&](int rank) { return is(fleet_.report(rank)) || fleet_.report(rank).status != GOSS_OK; });
    });
  }

  /// News runs along the living; who is cut off hears of its own neighbours at least.
  void let_the_news_spread() {
    const auto knows = [&](int rank) {
      const Report& report = fleet_.report(rank);
      std::set<int> known(report.dead, report.dead + report.buried);
      return std::ranges::includes(known, should_know(rank));
    };
    std::uint64_t calls = scene_.calls;
    const bool spread = wait_until([&] {
      fleet_.board().allowed = calls += kFurther;
      REQUIRE_MESSAGE(all_survivors([&](const Report& report) { return report.calls >= calls; }), say());
      return std::ranges::all_of(survivors_, knows) && all_have_heard_enough();
    });
    REQUIRE_MESSAGE(spread, say());
  }
  /// Nothing says how often ranks hear of each other that do not wait.
  [[nodiscard]] bool all_have_heard_enough() const {
    constexpr std::uint64_t kEnough = 60;
    if (!scene_.mixing.empty()) return true;
    return std::ranges::all_of(survivors_, [&](int rank) {
      const bool alone = !cut_off_from(rank, topology_, [&](int other) { return victims_.contains(other); }).empty();
      return alone || fleet_.report(rank).got >= kEnough;
    });
  }
  /// The dead neighbours of all whom a rank's news reaches.
  [[nodiscard]] std::set<int> should_know(int rank) const {
    std::set<int> reached = {rank};
    std::set<int> dead;
    for (std::vector<int> todo = {rank}; !todo.empty();) {
      const int here = todo.back();
      todo.pop_back();
      for (const int other : topology_.neighbours(here)) {
        if (victims_.contains(other)) dead.insert(other);
        if (!victims_.contains(other) && reached.insert(other).second) todo.push_back(other);
      }
    }
    return dead;
  }

  /// Waits until nothing is in flight.
  void drain() {
    const auto total = [&](std::atomic<std::uint64_t> Report::*count) {
      std::uint64_t sum = 0;
      for (const int rank : survivors_) sum += fleet_.report(rank).*count;
      return sum;
    };
    for (std::uint64_t seen = 0, before = 1; seen != before;) {
      before = total(&Report::got);
      const std::uint64_t enough = total(&Report::drains) + 30 * survivors_.size();
      REQUIRE(wait_until([&] { return total(&Report::drains) >= enough; }));
      seen = total(&Report::got);
    }
  }

  void check_calls() const {
    for (const int rank : survivors_) {
      const Report& report = fleet_.report(rank);
      INFO("rank " << rank << ": " << report.said);
      CHECK(report.status == GOSS_OK);
      const std::set<int> dead(report.dead, report.dead + report.dead_count);
      CHECK(std::ranges::includes(victims_, dead));
      CHECK(std::ranges::includes(dead, should_know(rank)));
      for (const int later : report.later_status) CHECK(later == GOSS_ERR_PEER);
      CHECK(dead.contains(first_named(report.said)));
      for (const int victim : dead) {
        CHECK(std::string(report.described).find(sentence("dead: rank ", victim)) != std::string::npos);
      }
      const bool says_cut_off = std::strstr(report.described, "cut off") != nullptr;
      CHECK(says_cut_off == !cut_off_from(rank, topology_, [&](int other) { return dead.contains(other); }).empty());
    }
  }

  /// Within reach of each other, models have come together; and nothing was invented.
  void check_models() const {
    const auto dead = [&](int rank) { return victims_.contains(rank); };
    double apart = 0;
    for (const int rank : survivors_) {
      const std::vector<int> away = cut_off_from(rank, topology_, dead);
      const Report& report = fleet_.report(rank);
      const bool exact = scene_.mixing.empty() || scene_.mixing == "average" || scene_.mixing == "push-sum";
      if (exact) CHECK(report.outside < 1e-5);
      for (const int other : survivors_) {
        if (std::ranges::find(away, other) != away.end()) continue;
        for (std::size_t i = 0; i < kSamples; ++i) {
          const float difference = report.samples[i] - fleet_.report(other).samples[i];
          apart = std::max(apart, static_cast<double>(std::abs(difference)));
        }
      }
    }
    CHECK(apart < scene_.apart);
  }

  void check_weights() const {
    static const std::regex kGone("weight that went to rank ([0-9]+) and did not come back: ([-+.e0-9]+)");
    auto weights = static_cast<double>(victims_.size());
    double living = 0;
    for (const int rank : survivors_) {
      const std::string text = fleet_.report(rank).described;
      living += fleet_.report(rank).weight;
      std::set<int> told;
      for (std::sregex_iterator gone(text.begin(), text.end(), kGone); gone != std::sregex_iterator(); ++gone) {
        told.insert(std::stoi((*gone)[1]));
        weights += std::stod((*gone)[2]);
      }
      CHECK(told == victims_);
    }
    CHECK(living <= kRanks + 1e-9);
    CHECK(std::abs(living + weights - kRanks) < 1e-9);
  }

  [[nodiscard]] std::string say() const {
    std::string text;
    for (int rank = 0; rank < kRanks; ++rank) {
      const Report& report = fleet_.report(rank);
      text += sentence("\nrank ", rank, victims_.contains(rank) ? " (killed)" : "", ": ", report.calls.load(),
                       " calls, ", report.got.load(), " messages, ", report.buried.load(), " dead:");
      for (int i = 0; i < report.buried; ++i) text += sentence(" ", report.dead[i]);
      text += sentence("; ", report.said);
    }
    return text;
  }

  const Scene& scene_;
  std::mt19937_64 random_;
  Topology topology_;
  Fleet fleet_;
  std::vector<int> survivors_;
  std::set<int> victims_;
};

void play(const std::vector<Scene>& scenes, std::uint64_t first_seed) {
  std::uint64_t seed = first_seed;
  for (const Scene& scene : scenes) {
    for (int i = 0; i < trials_of_each(); ++i, ++seed) {
      INFO("seed " << seed << ": " << scene.config() << ", " << scene.codec << ", " << scene.deaths << " of " << kRanks
                   << " are killed");
      Drama(scene, seed).play();
    }
  }
}

}  // namespace

TEST_CASE("average goes on when 1, 2 and 3 of 8 ranks are killed") {
  play({{"ring", "average", 1, 200, 0.02}, {"ring", "average", 2, 200, 0.02}, {"complete", "average", 3, 40, 1e-3}},
       20261100);
}

TEST_CASE("push-sum goes on, and the survivors account for their weights") {
  play({{"exponential", "push-sum", 1, 60, 1e-3},
        {"one-peer-exponential", "push-sum", 2, 60, 2.0},
        {"exponential", "push-sum", 3, 60, 1e-3}},
       20261200);
}

TEST_CASE("compressed gossip goes on") {
  play({{"complete", "deepsqueeze:eta=0.5", 1, 40, 0.5, "int8"},
        {"torus:2x4", "choco:gamma=0.3", 2, 80, 1.0, "topk:ratio=0.3"},
        {"exponential", "choco-push-sum:gamma=0.3", 3, 80, 1.0, "topk:ratio=0.3"}},
       20261300);
}

TEST_CASE("a death in an all-reduce ends that, and not the gossip") {
  play({{"ring", "average", 1, 100, 0.02, "identity", true},
        {"hypercube", "choco:gamma=0.3", 2, 100, 0.1, "int8", true}},
       20261500);
}

TEST_CASE("asynchronous gossip goes on, and the survivors account for their weights") {
  play({{"exponential", "", 1, 150, 0.5}, {"exponential", "", 3, 150, 0.5}}, 20261400);
}

TEST_CASE("shared memory is refused where deaths are to be survived") {
  Plan plan;
  copy_text(plan.config, sizeof plan.config, "on_failure=continue transport=ucx:tls=posix+self");
  copy_text(plan.codec, sizeof plan.codec, "identity");
  plan.elements = 1000;
  Fleet fleet(GOSSAMER_GOSSIP_WORKER, 2, plan);
  fleet.start_all();
  REQUIRE(fleet.reach(Stage::gone, kHangSeconds));
  for (const int rank : {0, 1}) {
    INFO("rank " << rank << " said: " << fleet.report(rank).said);
    CHECK(fleet.report(rank).status == GOSS_ERR_ARGUMENT);
    CHECK(std::strstr(fleet.report(rank).said, "tls=self+tcp") != nullptr);
  }
}

TEST_CASE("a stopped rank is a timeout for all others, also where deaths are survived") {
  Plan plan;
  copy_text(plan.config, sizeof plan.config, "on_failure=continue topology=complete timeout=2");
  copy_text(plan.codec, sizeof plan.codec, "identity");
  plan.elements = 1000;
  Fleet fleet(GOSSAMER_GOSSIP_WORKER, 4, plan);
  fleet.board().allowed = UINT64_MAX;
  fleet.start_all();
  REQUIRE(fleet.reach(Stage::running, kHangSeconds));
  fleet.signal(2, SIGSTOP);
  CHECK(fleet.reach(Stage::gone, kHangSeconds, 2));
  for (const int rank : {0, 1, 3}) {
    INFO("rank " << rank << " said: " << fleet.report(rank).said);
    CHECK(fleet.report(rank).status == GOSS_ERR_TIMEOUT);
    CHECK(first_named(fleet.report(rank).said) == 2);
  }
  fleet.signal(2, SIGCONT);
  CHECK(fleet.exit_code(2, kHangSeconds) == 0);
  CHECK(fleet.report(2).status != GOSS_OK);
}

}  // namespace gossamer::failure
