#pragma once

#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/failure/board.hpp"

extern char** environ;

namespace gossamer::failure {

/// A listening socket on a loopback port below those that the kernel hands out, so that nobody's outgoing connection
/// takes the port between now and its use.
class LoopbackPort {
 public:
  LoopbackPort() {
    static std::minstd_rand random(static_cast<unsigned>(getpid()));
    for (int attempt = 0; attempt < 1000; ++attempt) {
      port_ = 20000 + static_cast<int>(random() % 12000);
      socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(port_));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(socket_, 8) == 0) {
        return;
      }
      close(socket_);
    }
    fail(Status::system, "no free loopback port from 20000 to 31999");
  }
  ~LoopbackPort() { release(); }
  LoopbackPort(const LoopbackPort&) = delete;
  LoopbackPort& operator=(const LoopbackPort&) = delete;

  /// The port's number; free for others to listen on.
  int release() noexcept {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
    return port_;
  }
  [[nodiscard]] int number() const noexcept { return port_; }

 private:
  int socket_ = -1;
  int port_ = 0;
};

/// Worker processes that meet by the environment. Ends with none of them left, whatever happens.
class Fleet {
 public:
  Fleet(std::string program, int ranks, const Plan& plan)
      : program_(std::move(program)), pids_(static_cast<std::size_t>(ranks), 0) {
    shared_.board().plan = plan;
  }
  ~Fleet() {
    for (const pid_t pid : pids_) {
      if (pid > 0) kill(pid, SIGKILL);
    }
    for (const pid_t pid : pids_) {
      if (pid > 0) waitpid(pid, nullptr, 0);
    }
  }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// `before` are words to put in front of the worker's command line, such as a command that enters another host;
  /// `extra` are more variables for its environment.
  void start(int rank, const std::string& address, int port, const std::vector<std::string>& before = {},
             const std::vector<std::string>& extra = {}) {
    std::vector<std::string> words = before;
    words.insert(words.end(), {program_, shared_.path()});
    std::vector<std::string> variables = {"RANK=" + std::to_string(rank), "WORLD_SIZE=" + std::to_string(pids_.size()),
                                          "MASTER_ADDR=" + address, "MASTER_PORT=" + std::to_string(port)};
    variables.insert(variables.end(), extra.begin(), extra.end());
    const std::size_t ours = variables.size();
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string name(*variable, std::strcspn(*variable, "=") + 1);
      const auto set_by_us = [&](const std::string& other) { return other.starts_with(name); };
      if (std::none_of(variables.begin(), variables.begin() + static_cast<std::ptrdiff_t>(ours), set_by_us)) {
        variables.emplace_back(*variable);
      }
    }
    const int error = posix_spawn(&pid_of(rank), words.front().c_str(), nullptr, nullptr, pointers_to(words).data(),
                                  pointers_to(variables).data());
    if (error != 0) fail(Status::system, "cannot start ", words.front(), ": ", std::strerror(error));
  }
  void start_all() {
    shared_.board().plan.gather = size();
    const int port = LoopbackPort().release();
    for (int rank = 0; rank < size(); ++rank) start(rank, "127.0.0.1", port);
  }

  void signal(int rank, int number) { kill(pid_of(rank), number); }
  /// Ends one rank and returns when it began to die.
  double kill_rank(int rank) {
    const double at = now();
    signal(rank, SIGKILL);
    waitpid(pid_of(rank), nullptr, 0);
    pid_of(rank) = 0;
    return at;
  }
  /// Whether all ranks but `except` come to `stage` before the deadline.
  bool reach(Stage stage, double deadline_seconds, int except = -1) const {
    const Deadline deadline = Deadline::in(deadline_seconds);
    while (!deadline.expired()) {
      bool all = true;
      for (int rank = 0; rank < size(); ++rank) all = all && (rank == except || report(rank).at() >= stage);
      if (all) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  /// Waits for a rank's process: its exit code, or minus the signal that ended it; 1000 if it is still there.
  int exit_code(int rank, double deadline_seconds) {
    const Deadline deadline = Deadline::in(deadline_seconds);
    while (!deadline.expired()) {
      int status = 0;
      if (waitpid(pid_of(rank), &status, WNOHANG) == pid_of(rank)) {
        pid_of(rank) = 0;
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return 1000;
  }

  [[nodiscard]] int size() const noexcept { return static_cast<int>(pids_.size()); }
  [[nodiscard]] Board& board() const noexcept { return shared_.board(); }
  [[nodiscard]] const Report& report(int rank) const { return shared_.board().reports[rank]; }

 private:
  static std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
  }
  pid_t& pid_of(int rank) { return pids_[static_cast<std::size_t>(rank)]; }

  std::string program_;
  SharedBoard shared_;
  std::vector<pid_t> pids_;
};

}  // namespace gossamer::failure
