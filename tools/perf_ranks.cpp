#include "tools/perf_ranks.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/error.hpp"
#include "tools/perf_session.hpp"

namespace gossamer::tools {
namespace {

int guarded(int rank, const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gossamer: rank %d: %s\n", rank, error.what());
    return 1;
  }
}

/// The all-gather of ranks that share memory.
struct Meeting {
  explicit Meeting(int ranks) : gate(ranks) {}
  std::vector<std::byte> table;
  std::barrier<> gate;
};

struct Seat {
  Meeting* meeting;
  int rank;
  int ranks;
};

int gather_in_memory(void* context, const void* mine, void* all, std::size_t bytes) {
  const Seat& seat = *static_cast<Seat*>(context);
  std::vector<std::byte>& table = seat.meeting->table;
  if (seat.rank == 0) table.resize(bytes * static_cast<std::size_t>(seat.ranks));
  seat.meeting->gate.arrive_and_wait();
  if (bytes > 0) std::memcpy(table.data() + bytes * static_cast<std::size_t>(seat.rank), mine, bytes);
  seat.meeting->gate.arrive_and_wait();
  if (bytes > 0) std::memcpy(all, table.data(), table.size());
  seat.meeting->gate.arrive_and_wait();
  return 0;
}

int free_port() {
  const int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = socket_fd >= 0 && bind(socket_fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  if (socket_fd >= 0) close(socket_fd);
  if (!bound) fail(Status::system, "no free port on the loopback device: ", std::strerror(errno));
  return ntohs(address.sin_port);
}

goss_comm* join(const std::string& config) {
  goss_comm* comm = nullptr;
  expect_ok(goss_comm_create_env(config.c_str(), &comm), "making the communicator");
  return comm;
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

int run_threads(int ranks, const std::string& config, const RankMain& rank_main) {
  Meeting meeting(ranks);
  std::atomic<int> code = 0;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const int own = guarded(rank, [&] {
        Seat seat{&meeting, rank, ranks};
        const goss_bootstrap bootstrap{rank, ranks, gather_in_memory, &seat};
        goss_comm* comm = nullptr;
        expect_ok(goss_comm_create(&bootstrap, config.c_str(), &comm), "making the communicator");
        return rank_main(comm);
      });
      int none = 0;
      code.compare_exchange_strong(none, own);
    });
  }
  for (std::thread& each : threads) each.join();
  return code;
}

int run_children(int ranks, const std::string& config, const RankMain& rank_main) {
  setenv("MASTER_ADDR", "127.0.0.1", 1);
  setenv("MASTER_PORT", std::to_string(free_port()).c_str(), 1);
  setenv("WORLD_SIZE", std::to_string(ranks).c_str(), 1);
  std::vector<pid_t> children;
  for (int rank = 0; rank < ranks; ++rank) {
    const pid_t child = fork();
    if (child < 0) fail(Status::system, "cannot start rank ", rank, ": ", std::strerror(errno));
    if (child == 0) {
      setenv("RANK", std::to_string(rank).c_str(), 1);
      std::exit(guarded(rank, [&] { return rank_main(join(config)); }));
    }
    children.push_back(child);
  }
  int code = 0;
  for (std::size_t left = children.size(); left > 0; --left) {
    int status = 0;
    wait(&status);
    if (code == 0) code = exit_code_of(status);
  }
  return code;
}

int run_from_environment(const std::string& config, const RankMain& rank_main) {
  const bool told = std::getenv("RANK") != nullptr || std::getenv("PMI_RANK") != nullptr ||
                    std::getenv("OMPI_COMM_WORLD_RANK") != nullptr || std::getenv("SLURM_PROCID") != nullptr;
  if (!told) {
    std::fprintf(stderr, "gossamer: one rank; for more: --ranks N, --inproc N, or mpirun -n N gossamer ...\n");
    setenv("RANK", "0", 1);
    setenv("WORLD_SIZE", "1", 1);
  }
  default_rendezvous();
  return rank_main(join(config));
}

void default_rendezvous() {
  setenv("MASTER_ADDR", "127.0.0.1", 0);
  // Ranks of one host have the same parent, the launcher's daemon, and another job has another.
  setenv("MASTER_PORT", std::to_string(20000 + getppid() % 12000).c_str(), 0);
}

}  // namespace gossamer::tools
