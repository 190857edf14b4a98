// What the ranks of a job see when one of them dies, stops, or stays away: the right status, the right name, in time,
// and no process that hangs. Ranks are processes here, over UCX.
#include <doctest/doctest.h>

#include "tests/failure/checks.hpp"

namespace gossamer::failure {
namespace {

const std::string kShared = "transport=ucx";
const std::string kTcp = "transport=ucx:tls=self+tcp";
const std::string kShortTimeout = sentence(" timeout=", kTimeoutSeconds);

struct Timing {
  double returned = 0;  ///< from the kill to the last survivor's return
  double gone = 0;      ///< and to the end of its goss_comm_destroy
  int scattering = 0;   ///< survivors that were in reduce-scatter, or all-gather
  int gathering = 0;
};

void measure(const Fleet& fleet, int victim, double killed_at, Timing& worst) {
  worst.returned = std::max(worst.returned, last_return(fleet, victim) - killed_at);
  for (int rank = 0; rank < fleet.size(); ++rank) {
    if (rank == victim) continue;
    worst.gone = std::max(worst.gone, fleet.report(rank).gone_at - killed_at);
    worst.scattering += std::strstr(fleet.report(rank).said, "reduce-scatter") != nullptr;
    worst.gathering += std::strstr(fleet.report(rank).said, "all-gather") != nullptr;
  }
}

/// Kills a rank of a running job after a random while, and holds the others to the contract.
void kill_one(const Trial& trial, std::uint64_t seed, Timing& worst) {
  std::mt19937_64 random(seed);
  INFO("seed " << seed << ": " << text_of(trial));
  Fleet fleet(GOSSAMER_FAILURE_WORKER, trial.ranks, plan_of(trial));
  fleet.start_all();
  REQUIRE(fleet.reach(Stage::running, kHangSeconds));
  std::this_thread::sleep_for(std::chrono::microseconds(random() % 200'000));
  const int victim = static_cast<int>(random() % static_cast<unsigned>(trial.ranks));
  INFO("killed: rank " << victim);
  const double killed_at = fleet.kill_rank(victim);
  const bool all_gone = fleet.reach(Stage::gone, kHangSeconds, victim);
  check_survivors(fleet, victim, GOSS_ERR_PEER);
  for (int rank = 0; rank < trial.ranks; ++rank) {
    if (rank == victim) continue;
    CHECK(fleet.report(rank).dead_count == 1);
    CHECK(fleet.report(rank).dead[0] == victim);
    CHECK(fleet.exit_code(rank, kHangSeconds) == 0);
  }
  CHECK(all_gone);
  CHECK(last_return(fleet, victim) - killed_at < kPromisedSeconds);
  measure(fleet, victim, killed_at, worst);
}

void kill_in_each(const std::vector<Trial>& trials, std::uint64_t first_seed) {
  Timing worst;
  std::uint64_t seed = first_seed;
  for (const Trial& trial : trials) {
    for (int i = 0; i < trials_of_each(); ++i) kill_one(trial, seed++, worst);
  }
  MESSAGE("kill -9, " << seed - first_seed << " times: last survivor returned after " << worst.returned
                      << " s, destroyed its communicator after " << worst.gone << " s; survivors found in "
                      << "reduce-scatter " << worst.scattering << ", in all-gather " << worst.gathering);
}

}  // namespace

TEST_CASE("kill -9 during blocking all-reduces: every survivor names the dead rank within 2 s") {
  std::vector<Trial> trials;
  for (const std::string& transport : {kShared, kTcp}) {
    for (const int ranks : {4, 8}) {
      for (int i = 0; i < 3; ++i) trials.push_back({transport, ranks});
    }
  }
  kill_in_each(trials, 20260100);
}

TEST_CASE("kill -9 during non-blocking all-reduces: every survivor names the dead rank within 2 s") {
  std::vector<Trial> trials;
  for (const std::string& transport : {kShared, kTcp}) {
    for (const int ranks : {4, 8}) {
      trials.push_back({transport, ranks, Style::wait_all, 5, 700'000});
      trials.push_back({transport, ranks, Style::test, 5, 700'000});
      trials.push_back({transport + " progress=polling", ranks, Style::wait_all, 3, 1'000'000});
    }
  }
  kill_in_each(trials, 20260200);
}

TEST_CASE("kill -9 under other topologies and codecs: every survivor names the dead rank within 2 s") {
  std::vector<Trial> trials;
  for (const std::string& transport : {kShared, kTcp}) {
    trials.push_back({transport + " topology=hypercube", 8});
    trials.push_back({transport + " topology=complete", 4});
    trials.push_back({transport + " topology=torus:2x4", 8, Style::wait_all, 3, 1'000'000, "int8"});
    trials.push_back({transport, 4, Style::blocking, 1, 4'000'000, "topk:ratio=0.01"});
    trials.push_back({transport, 2, Style::blocking, 1, 4'000'000, "fp16"});
  }
  kill_in_each(trials, 20260300);
}

TEST_CASE("a stopped rank is a timeout for all others, within timeout + 2 s") {
  for (const std::string& transport : {kShared, kTcp}) {
    for (const int ranks : {4, 8}) {
      Trial trial{transport + kShortTimeout, ranks};
      INFO(text_of(trial));
      Fleet fleet(GOSSAMER_FAILURE_WORKER, ranks, plan_of(trial));
      fleet.start_all();
      REQUIRE(fleet.reach(Stage::running, kHangSeconds));
      const int stopped = ranks / 2;
      const double stopped_at = now();
      fleet.signal(stopped, SIGSTOP);
      CHECK(fleet.reach(Stage::gone, kHangSeconds, stopped));
      check_survivors(fleet, stopped, GOSS_ERR_TIMEOUT);
      const double seconds = last_return(fleet, stopped) - stopped_at;
      CHECK(seconds < kTimeoutSeconds + kPromisedSeconds);
      MESSAGE("SIGSTOP under " << text_of(trial) << ": last return after " << seconds << " s");
      fleet.signal(stopped, SIGCONT);
      CHECK(fleet.exit_code(stopped, kHangSeconds) == 0);  // it finds out too, and leaves
      CHECK(fleet.report(stopped).status != GOSS_OK);
    }
  }
}

TEST_CASE("a rank that stays away from a call is named by all others") {
  for (const std::string& transport : {kShared, kTcp}) {
    for (const char* topology : {" topology=ring", " topology=hypercube", " topology=complete"}) {
      Trial trial{transport + topology + kShortTimeout, 4, Style::blocking, 1, 100'000};
      INFO(text_of(trial));
      Plan plan = plan_of(trial);
      plan.late_rank = 2;
      plan.late_call = 20;
      Fleet fleet(GOSSAMER_FAILURE_WORKER, trial.ranks, plan);
      fleet.start_all();
      CHECK(fleet.reach(Stage::gone, kHangSeconds, plan.late_rank));
      check_survivors(fleet, plan.late_rank, GOSS_ERR_TIMEOUT);
      fleet.board().end = 1;
      CHECK(fleet.exit_code(plan.late_rank, kHangSeconds) == 0);
      CHECK(fleet.report(plan.late_rank).status != GOSS_OK);
    }
  }
}

TEST_CASE("a rank that never comes is named by those that wait for it") {
  const Trial trial{kShared + " timeout=1", 4};
  for (const int absent : {0, 2}) {
    INFO("absent: rank " << absent);
    Fleet fleet(GOSSAMER_FAILURE_WORKER, trial.ranks, plan_of(trial));
    const int port = LoopbackPort().release();
    for (int rank = 0; rank < trial.ranks; ++rank) {
      if (rank != absent) fleet.start(rank, "127.0.0.1", port);
    }
    CHECK(fleet.reach(Stage::gone, kHangSeconds, absent));
    for (int rank = 0; rank < trial.ranks; ++rank) {
      if (rank == absent) continue;
      INFO("rank " << rank << " said: " << fleet.report(rank).said);
      CHECK(fleet.report(rank).status == GOSS_ERR_TIMEOUT);
      const std::string wanted = absent == 0 ? std::to_string(port) : std::to_string(absent);
      CHECK(std::string(fleet.report(rank).said).find(wanted) != std::string::npos);
      CHECK(fleet.exit_code(rank, kHangSeconds) == 0);
    }
  }
}

TEST_CASE("a port that is taken is a system error that names it") {
  const Trial trial{kShared + " timeout=1", 2};
  const LoopbackPort taken;
  Fleet fleet(GOSSAMER_FAILURE_WORKER, trial.ranks, plan_of(trial));
  fleet.start(0, "127.0.0.1", taken.number());
  fleet.start(1, "127.0.0.1", taken.number());
  CHECK(fleet.reach(Stage::gone, kHangSeconds));
  INFO("rank 0 said: " << fleet.report(0).said);
  CHECK(fleet.report(0).status == GOSS_ERR_SYSTEM);
  CHECK(std::string(fleet.report(0).said).find(std::to_string(taken.number())) != std::string::npos);
  INFO("rank 1 said: " << fleet.report(1).said);
  CHECK(fleet.report(1).status == GOSS_ERR_TIMEOUT);  // whoever has the port does not answer
}

}  // namespace gossamer::failure
