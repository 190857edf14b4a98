#include "lib/bootstrap.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <numeric>

#include "lib/net/socket.hpp"
#include "tests/processes.hpp"

namespace gossamer {
namespace {

using testing::Outcome;
using testing::run_processes;
using testing::Team;

constexpr double patience_seconds = 30;
constexpr double hang_deadline_seconds = 60;

constexpr const char* all_variables[] = {
    "RANK",     "WORLD_SIZE",   "MASTER_ADDR",          "MASTER_PORT",          "PMI_RANK",
    "PMI_SIZE", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS"};

std::uint16_t free_port() {
  return local_port(listen_on(0));
}

void set_env(const char* name, const std::string& value) {
  setenv(name, value.c_str(), 1);
}

/// What torchrun would set; for forked processes, whose environment is their own.
void set_ranks(int rank, int size, std::uint16_t port, const std::string& host = "127.0.0.1") {
  for (const char* name : all_variables) unsetenv(name);
  set_env("RANK", std::to_string(rank));
  set_env("WORLD_SIZE", std::to_string(size));
  set_env("MASTER_ADDR", host);
  set_env("MASTER_PORT", std::to_string(port));
}

std::vector<std::byte> blob_of(int rank, std::size_t bytes) {
  std::vector<std::byte> blob(bytes, static_cast<std::byte>(rank + 1));
  for (std::size_t i = 0; i < bytes; i += 1000) blob[i] = static_cast<std::byte>(i / 1000);
  return blob;
}

/// "ok" when two exchanges, of 40 and of `bytes` bytes, gave every rank everybody's blobs in rank order.
std::string exchange_twice(Bootstrap& bootstrap, std::size_t bytes) {
  for (std::size_t size : {std::size_t{40}, bytes}) {
    std::vector<std::byte> expected;
    for (int rank = 0; rank < bootstrap.size(); ++rank) {
      const std::vector<std::byte> blob = blob_of(rank, size);
      expected.insert(expected.end(), blob.begin(), blob.end());
    }
    if (bootstrap.allgather(blob_of(bootstrap.rank(), size)) != expected) return sentence(size, " bytes differ");
  }
  return "ok";
}

void check_all(const std::vector<Outcome>& outcomes, Status status, const std::vector<std::string>& parts) {
  for (std::size_t rank = 0; rank < outcomes.size(); ++rank) {
    CAPTURE(rank);
    CAPTURE(outcomes[rank].said);
    CHECK(outcomes[rank].in_time);
    CHECK(outcomes[rank].signal == 0);
    CHECK(outcomes[rank].status == status);
    for (const std::string& part : parts) CHECK_MESSAGE(outcomes[rank].said.find(part) != std::string::npos, part);
  }
}

/// Sends bytes to a port of this host as soon as somebody listens, and waits until it is turned away.
void disturb(std::uint16_t port, std::string_view bytes) {
  int error = 0;
  const std::vector<SocketAddress> addresses = resolve("127.0.0.1", port, error);
  const Deadline deadline = Deadline::in(hang_deadline_seconds);
  Fd socket;
  for (int result = -1; result != 0 && !deadline.expired(); usleep(1000)) {
    if (!socket.valid()) socket = start_connect(addresses.at(0));
    result = socket.valid() ? connect_result(socket) : -1;
    if (result != 0 && result != EINPROGRESS) socket.reset();
  }
  if (send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) fail(Status::system, "nobody took the bytes");
  char answer = 0;
  for (ssize_t got = -1; !deadline.expired();) {
    pollfd readable{socket.get(), POLLIN, 0};
    wait_for({&readable, 1}, deadline.remaining_seconds());
    got = recv(socket.get(), &answer, 1, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return;
  }
  fail(Status::timeout, "was not turned away");
}

template <typename Function>
Error error_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error;
  }
  return Error(Status::ok, "no error");
}

TEST_CASE("env bootstrap gives every rank all blobs in rank order") {
  for (int size : {1, 2, 3, 8}) {
    CAPTURE(size);
    const std::uint16_t port = free_port();
    const auto outcomes = run_processes(size, hang_deadline_seconds, [&](int rank, Team&) {
      set_ranks(rank, size, port, rank % 2 == 0 ? "127.0.0.1" : "localhost");
      return exchange_twice(*env_bootstrap(patience_seconds), 300'000);
    });
    check_all(outcomes, Status::ok, {"ok"});
  }
}

TEST_CASE("env bootstrap waits for a rank 0 that starts last") {
  const std::uint16_t port = free_port();
  const auto outcomes = run_processes(3, hang_deadline_seconds, [&](int rank, Team&) {
    set_ranks(rank, 3, port);
    if (rank == 0) usleep(300'000);
    return exchange_twice(*env_bootstrap(patience_seconds), 1);
  });
  check_all(outcomes, Status::ok, {"ok"});
}

TEST_CASE("env bootstrap names on every rank those that never arrive") {
  const std::uint16_t port = free_port();
  const auto outcomes = run_processes(2, hang_deadline_seconds, [&](int rank, Team&) {
    set_ranks(rank, 4, port);
    return exchange_twice(*env_bootstrap(2), 1);
  });
  check_all(outcomes, Status::timeout,
            {"ranks 2, 3 of 4 did not arrive at 127.0.0.1:" + std::to_string(port) + " within 2 s"});
}

TEST_CASE("env bootstrap says where rank 0 was looked for in vain") {
  const std::uint16_t port = free_port();
  const auto outcomes = run_processes(1, hang_deadline_seconds, [&](int, Team&) {
    set_ranks(1, 2, port);
    return exchange_twice(*env_bootstrap(0.3), 1);
  });
  check_all(outcomes, Status::timeout,
            {"rank 0 at 127.0.0.1:" + std::to_string(port) + " did not answer within 0.3 s", "Connection refused"});
}

TEST_CASE("env bootstrap says that its port is taken and what to do") {
  const Fd taken = listen_on(0);
  const auto outcomes = run_processes(1, hang_deadline_seconds, [&](int, Team&) {
    set_ranks(0, 2, local_port(taken));
    return exchange_twice(*env_bootstrap(patience_seconds), 1);
  });
  check_all(outcomes, Status::system,
            {"port " + std::to_string(local_port(taken)), "is taken (Address already in use)", "set MASTER_PORT"});
}

TEST_CASE("two processes with one rank fail all ranks") {
  const std::uint16_t port = free_port();
  const auto outcomes = run_processes(3, hang_deadline_seconds, [&](int rank, Team&) {
    set_ranks(std::min(rank, 1), 3, port);
    return exchange_twice(*env_bootstrap(patience_seconds), 1);
  });
  check_all(outcomes, Status::argument, {"two processes say they are rank 1 of 3", "own RANK"});
}

TEST_CASE("different WORLD_SIZE fails all ranks and names both") {
  const std::uint16_t port = free_port();
  const auto outcomes = run_processes(3, hang_deadline_seconds, [&](int rank, Team&) {
    set_ranks(rank, rank == 2 ? 8 : 3, port);
    return exchange_twice(*env_bootstrap(patience_seconds), 1);
  });
  check_all(outcomes, Status::mismatch, {"rank 2", "WORLD_SIZE=8", "rank 0 with WORLD_SIZE=3"});
}

TEST_CASE("strangers on the port are turned away and hold nobody up") {
  const std::uint16_t port = free_port();
  const auto outcomes = run_processes(5, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    if (rank == 3) disturb(port, "GET / HTTP/1.1\r\n\r\n");
    if (rank == 4) disturb(port, std::string_view("GSM1\1\0\0\0\377\377\377\177", 12));  // a hello of 2 GiB
    if (rank >= 3) {
      team.barrier();
      return "ok";
    }
    set_ranks(rank, 3, port);
    if (rank == 1) team.barrier();  // arrives when the strangers have been
    if (rank == 2) team.barrier();
    std::unique_ptr<Bootstrap> bootstrap;
    if (rank == 0) {
      std::thread releases([&] { team.barrier(); });
      bootstrap = env_bootstrap(patience_seconds, LogLevel::error);
      releases.join();
    } else {
      bootstrap = env_bootstrap(patience_seconds);
    }
    return exchange_twice(*bootstrap, 1000);
  });
  check_all(outcomes, Status::ok, {"ok"});
}

TEST_CASE("a rank that dies between exchanges is named on all ranks") {
  const std::uint16_t port = free_port();
  auto outcomes = run_processes(4, hang_deadline_seconds, [&](int rank, Team&) -> std::string {
    set_ranks(rank, 4, port);
    const std::unique_ptr<Bootstrap> bootstrap = env_bootstrap(patience_seconds);
    bootstrap->allgather(blob_of(rank, 8));
    if (rank == 2) kill(getpid(), SIGKILL);
    bootstrap->allgather(blob_of(rank, 8));
    return "nothing noticed";
  });
  CHECK(outcomes[2].signal == SIGKILL);
  outcomes.erase(outcomes.begin() + 2);
  check_all(outcomes, Status::peer, {"rank 2", "before exchange 2"});
}

TEST_CASE("the death of rank 0 is named on all other ranks") {
  const std::uint16_t port = free_port();
  auto outcomes = run_processes(3, hang_deadline_seconds, [&](int rank, Team&) -> std::string {
    set_ranks(rank, 3, port);
    const std::unique_ptr<Bootstrap> bootstrap = env_bootstrap(patience_seconds);
    if (rank == 0) kill(getpid(), SIGKILL);
    bootstrap->allgather(blob_of(rank, 8));
    return "nothing noticed";
  });
  outcomes.erase(outcomes.begin());
  check_all(outcomes, Status::peer, {"rank 0 at 127.0.0.1:" + std::to_string(port)});
}

TEST_CASE("a rank that misses an exchange is named on all ranks that wait") {
  const std::uint16_t port = free_port();
  auto outcomes = run_processes(3, hang_deadline_seconds, [&](int rank, Team& team) -> std::string {
    set_ranks(rank, 3, port);
    const std::unique_ptr<Bootstrap> bootstrap = env_bootstrap(3);
    const Error error = rank == 1 ? Error(Status::ok, "") : error_of([&] { bootstrap->allgather(blob_of(rank, 8)); });
    team.barrier();
    if (rank != 1) throw error;
    return "slept";
  });
  CHECK(outcomes[1].said == "slept");
  outcomes.erase(outcomes.begin() + 1);
  check_all(outcomes, Status::timeout, {"rank 1 of 3 did not take part in exchange 1", "within 3 s"});
}

TEST_CASE("blobs of different sizes are refused on all ranks") {
  const std::uint16_t port = free_port();
  const auto outcomes = run_processes(3, hang_deadline_seconds, [&](int rank, Team&) -> std::string {
    set_ranks(rank, 3, port);
    env_bootstrap(patience_seconds)->allgather(blob_of(rank, rank == 2 ? 9 : 8));
    return "nothing noticed";
  });
  check_all(outcomes, Status::mismatch, {"rank 2", "9 bytes", "rank 0 8"});
}

TEST_CASE("rank and size come from the launcher's variables, the user's own first") {
  struct Case {
    std::vector<std::pair<const char*, const char*>> variables;
    Status status;
    std::string text;  // "rank of size", or a part of the error
  };
  const std::vector<Case> cases = {
      {{}, Status::argument, "RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT"},
      {{{"RANK", "0"}}, Status::argument, "RANK is set in the environment, but not WORLD_SIZE"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "1"}}, Status::ok, "0 of 1"},
      {{{"RANK", "7"}, {"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}, Status::ok, "0 of 1"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "1"}, {"PMI_RANK", "3"}, {"PMI_SIZE", "4"}}, Status::ok, "0 of 1"},
      {{{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}}, Status::ok, "0 of 1"},
      {{{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}, Status::ok, "0 of 1"},
      {{{"RANK", "1x"}, {"WORLD_SIZE", "2"}}, Status::argument, "RANK=1x"},
      {{{"RANK", ""}, {"WORLD_SIZE", "2"}}, Status::argument, "RANK="},
      {{{"RANK", "-1"}, {"WORLD_SIZE", "2"}}, Status::argument, "RANK=-1"},
      {{{"RANK", "2"}, {"WORLD_SIZE", "2"}}, Status::argument, "not an integer from 0 to 1"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "0"}}, Status::argument, "WORLD_SIZE=0"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_PORT", "1"}}, Status::argument, "MASTER_ADDR is not set"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "x"}}, Status::argument, "MASTER_PORT is not set"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "x"}, {"MASTER_PORT", "65536"}},
       Status::argument,
       "MASTER_PORT=65536"},
  };
  for (const Case& expected : cases) {
    CAPTURE(expected.text);
    const auto outcomes = run_processes(1, hang_deadline_seconds, [&](int, Team&) {
      for (const char* name : all_variables) unsetenv(name);
      for (const auto& [name, value] : expected.variables) set_env(name, value);
      const std::unique_ptr<Bootstrap> bootstrap = env_bootstrap(1);
      return sentence(bootstrap->rank(), " of ", bootstrap->size());
    });
    check_all(outcomes, expected.status, {expected.text});
  }
}

int fill_by_rank(void* context, const void* mine, void* all, size_t bytes) {
  const int size = *static_cast<int*>(context);
  for (int rank = 0; rank < size; ++rank) {
    std::memcpy(static_cast<char*>(all) + static_cast<std::size_t>(rank) * bytes, mine, bytes);
  }
  return 0;
}

int refuse(void*, const void*, void*, size_t) {
  return 42;
}

TEST_CASE("callback bootstrap hands the caller's function blob and size") {
  int size = 3;
  const auto bootstrap = callback_bootstrap({1, size, fill_by_rank, &size});
  CHECK(bootstrap->rank() == 1);
  CHECK(bootstrap->size() == 3);
  const std::vector<std::byte> mine = blob_of(1, 5);
  const std::vector<std::byte> all = bootstrap->allgather(mine);
  REQUIRE(all.size() == 15);
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i] == mine[i % 5]);
}

TEST_CASE("callback bootstrap refuses bad arguments and passes on the function's failure") {
  int size = 2;
  for (const auto& [rank, ranks] : {std::pair{-1, 0}, std::pair{0, 0}, std::pair{2, 2}, std::pair{-1, 2}}) {
    const Error error = error_of([&] { callback_bootstrap({rank, ranks, fill_by_rank, &size}); });
    CHECK(error.status() == Status::argument);
    CHECK(std::string(error.what()).find(sentence("rank ", rank, " of ", ranks)) != std::string::npos);
  }
  const Error missing = error_of([&] { callback_bootstrap({0, 2, nullptr, &size}); });
  CHECK(missing.status() == Status::argument);
  CHECK(std::string(missing.what()).find("NULL") != std::string::npos);

  const Error failed = error_of([&] { callback_bootstrap({0, 2, refuse, nullptr})->allgather(blob_of(0, 4)); });
  CHECK(failed.status() == Status::system);
  CHECK(std::string(failed.what()).find("returned 42") != std::string::npos);
}

}  // namespace
}  // namespace gossamer
