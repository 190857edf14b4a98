// The same between hosts: a lab of network namespaces (scripts/netlab.sh) that tests/netlab_failure.sh sets up and
// names in GOSSAMER_LAB. A rank or its network dies; a host is out of reach; a ring crosses between hosts no more often
// than it must.
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <set>

#include "tests/failure/checks.hpp"

namespace gossamer::failure {
namespace {

constexpr int kPort = 29533;
constexpr double kVanishedSeconds = 10;  // what the library promises for a host that goes silent

std::string lab() {
  const char* name = std::getenv("GOSSAMER_LAB");
  return name == nullptr ? "" : name;
}
std::string address_of(int host) {
  return sentence(GOSSAMER_LAB_SUBNET ".", host + 1);
}
std::string name_of_host(int host) {
  return sentence("gosslab-", lab(), "-h", host);
}

/// Runs a command on the lab itself.
void in_lab(const std::string& name, const std::string& command) {
  const std::string line = "ip netns exec " + name + " " + command;
  if (std::system(line.c_str()) != 0) fail(Status::system, "'", line, "' failed");
}

/// Starts a rank on a host: whatever `words` say, with the worker's command line after them.
void start_on(Fleet& fleet, int rank, int host, const std::vector<std::string>& words = {}) {
  std::vector<std::string> before = {GOSSAMER_NETLAB, "-l", lab(), "enter-pmi", "--"};
  before.insert(before.end(), words.begin(), words.end());
  fleet.start(rank, address_of(0), kPort, before, {"PMI_RANK=" + std::to_string(host)});
}

void start_one_on_each(Fleet& fleet) {
  fleet.board().plan.gather = fleet.size();
  for (int rank = 0; rank < fleet.size(); ++rank) start_on(fleet, rank, rank);
}

std::uint64_t bytes_sent_by(int host) {
  const std::string file = sentence("/tmp/gossamer-lab-", lab(), "-bytes");
  in_lab(name_of_host(host), "cat /sys/class/net/eth0/statistics/tx_bytes > " + file);
  std::uint64_t bytes = 0;
  std::ifstream(file) >> bytes;
  std::remove(file.c_str());
  return bytes;
}

}  // namespace

TEST_CASE("kill -9 on another host: every survivor names the dead rank within 2 s") {
  double worst = 0;
  std::uint64_t seed = 20260400;
  for (const Style style : {Style::blocking, Style::wait_all}) {
    for (int victim = 0; victim < 4; ++victim) {
      const Trial trial{"transport=ucx", 4, style, 3, 500'000};
      INFO("seed " << seed << ", killed: rank " << victim << ", " << text_of(trial));
      std::mt19937_64 random(seed++);
      Fleet fleet(GOSSAMER_FAILURE_WORKER, trial.ranks, plan_of(trial));
      start_one_on_each(fleet);
      REQUIRE(fleet.reach(Stage::running, kHangSeconds));
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 300'000));
      const double killed_at = fleet.kill_rank(victim);
      CHECK(fleet.reach(Stage::gone, kHangSeconds, victim));
      check_survivors(fleet, victim, GOSS_ERR_PEER);
      for (int rank = 0; rank < trial.ranks; ++rank) {
        if (rank == victim) continue;
        CHECK(fleet.report(rank).dead_count == 1);
        CHECK(fleet.report(rank).dead[0] == victim);
      }
      worst = std::max(worst, last_return(fleet, victim) - killed_at);
    }
  }
  CHECK(worst < kPromisedSeconds);
  MESSAGE("kill -9 between hosts: last survivor returned after " << worst << " s");
}

TEST_CASE("no route to a peer is a system error that names it") {
  const Trial trial{sentence("transport=ucx timeout=", kTimeoutSeconds), 4};
  const std::string route = "unreachable " + address_of(2) + "/32";
  in_lab(name_of_host(3), "ip route add " + route);
  Fleet fleet(GOSSAMER_FAILURE_WORKER, trial.ranks, plan_of(trial));
  start_one_on_each(fleet);
  CHECK(fleet.reach(Stage::gone, kHangSeconds));
  in_lab(name_of_host(3), "ip route del " + route);
  for (int rank = 0; rank < trial.ranks; ++rank) {
    INFO("rank " << rank << " said: " << fleet.report(rank).said);
    CHECK(fleet.report(rank).status == GOSS_ERR_SYSTEM);
    CHECK(std::string(fleet.report(rank).said).find("no route from rank 3 to rank 2") != std::string::npos);
  }
}

TEST_CASE("with two ranks on each of two hosts a ring crosses between them once per direction") {
  // Ranks alternate between the hosts, so that the order of ranks would cross four times.
  const Trial trial{"transport=ucx", 4, Style::blocking, 1, 1'000'000};
  const int n = trial.ranks;
  Fleet fleet(GOSSAMER_FAILURE_WORKER, n, plan_of(trial));
  fleet.board().plan.gather = n;
  for (int host = 0; host < 2; ++host) {
    const std::string two = sentence("RANK=", host, " \"$@\" & RANK=", host + 2, " \"$@\"; wait");
    start_on(fleet, host, host, {"sh", "-c", two, "sh"});
  }
  REQUIRE(fleet.reach(Stage::running, kHangSeconds));
  for (int rank = 0; rank < n; ++rank) {
    const Report& report = fleet.report(rank);
    const std::set<int> around(report.around, report.around + report.around_count);
    INFO("rank " << rank);
    CHECK(around.size() == 2);
    CHECK(around.contains((rank + 2) % n));  // the other rank of this host
  }
  // What leaves a host is what one rank sends in a ring: 2(n - 1)/n of the tensor per call.
  const double per_call = 2.0 * (n - 1) / n * static_cast<double>(trial.elements) * sizeof(float);
  for (int host = 0; host < 2; ++host) {
    const std::uint64_t first_call = fleet.report(host).calls.load();
    const std::uint64_t first_byte = bytes_sent_by(host);
    const Deadline deadline = Deadline::in(kHangSeconds);
    while (fleet.report(host).calls.load() < first_call + 20 && !deadline.expired()) usleep(1000);
    const double calls = static_cast<double>(fleet.report(host).calls.load() - first_call);
    const double crossings = static_cast<double>(bytes_sent_by(host) - first_byte) / (calls * per_call);
    MESSAGE("host " << host << " sends " << crossings << " times what one rank sends in a ring");
    CHECK(crossings > 0.8);
    CHECK(crossings < 1.3);  // headers, acknowledgements, and the calls cut at both ends
  }
}

// Last: for a while after it, neighbours have no hardware address of the host.
TEST_CASE("a host that goes silent is a dead peer within 10 s") {
  const Trial trial{"transport=ucx", 4, Style::blocking, 1, 500'000};
  const int silent = 2;
  Fleet fleet(GOSSAMER_FAILURE_WORKER, trial.ranks, plan_of(trial));
  start_one_on_each(fleet);
  REQUIRE(fleet.reach(Stage::running, kHangSeconds));
  const std::string link = sentence("ip link set port", silent, " ");
  const double cut_at = now();
  in_lab(sentence("gosslab-", lab(), "-switch"), link + "down");
  CHECK(fleet.reach(Stage::gone, kHangSeconds, silent));
  in_lab(sentence("gosslab-", lab(), "-switch"), link + "up");
  check_survivors(fleet, silent, GOSS_ERR_PEER);
  const double seconds = last_return(fleet, silent) - cut_at;
  CHECK(seconds < kVanishedSeconds + kPromisedSeconds);
  MESSAGE("cable cut: last survivor returned after " << seconds << " s");
}

}  // namespace gossamer::failure
