#pragma once

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/bytes.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

namespace gossamer::testing {

/// What became of a rank that ran as a process.
struct Outcome {
  bool in_time = false;  ///< ended before the deadline (else it was killed)
  int signal = 0;        ///< that ended it; 0 when it ended by itself
  Status status = Status::ok;
  std::string said;  ///< what the body returned, or the sentence of the error it threw
};

/// What the processes of one run share: their ids and an all-gather that needs no network.
class Team {
 public:
  static constexpr int most_ranks = 16;
  static constexpr std::size_t most_bytes = 64 * 1024;

  int size = 0;
  pid_t pid[most_ranks] = {};

  void barrier() { pthread_barrier_wait(&barrier_); }
  std::vector<std::vector<std::byte>> allgather(int rank, Bytes mine) {
    std::memcpy(blobs_[rank], mine.data(), mine.size());
    barrier();
    std::vector<std::vector<std::byte>> all;
    for (int i = 0; i < size; ++i) all.emplace_back(blobs_[i], blobs_[i] + mine.size());
    barrier();
    return all;
  }

 private:
  friend std::vector<Outcome> run_processes(int, double, const std::function<std::string(int, Team&)>&);

  struct Said {
    bool whole;
    Status status;
    char text[1024];
  };

  explicit Team(int ranks) : size(ranks) {
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&barrier_, &attributes, static_cast<unsigned>(ranks));
    pthread_barrierattr_destroy(&attributes);
  }
  void say(int rank, Status status, const std::string& text) {
    said_[rank].status = status;
    std::strncpy(said_[rank].text, text.c_str(), sizeof said_[rank].text - 1);
    said_[rank].whole = true;
  }

  pthread_barrier_t barrier_;
  Said said_[most_ranks] = {};
  std::byte blobs_[most_ranks][most_bytes] = {};
};

/// Runs `body(rank, team)` in `ranks` forked processes and collects what they say. Whoever is not done after
/// `deadline_seconds` is killed, which its outcome tells. Call it while this process has one thread.
inline std::vector<Outcome> run_processes(int ranks, double deadline_seconds,
                                          const std::function<std::string(int, Team&)>& body) {
  void* memory = mmap(nullptr, sizeof(Team), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail(Status::memory, "no shared memory for ", ranks, " processes");
  Team& team = *new (memory) Team(ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    const pid_t child = fork();
    if (child == 0) {
      team.pid[rank] = getpid();
      try {
        team.say(rank, Status::ok, body(rank, team));
      } catch (const Error& error) {
        team.say(rank, error.status(), error.what());
      } catch (const std::exception& error) {
        team.say(rank, Status::internal, error.what());
      }
      _exit(0);
    }
    team.pid[rank] = child;
  }
  std::vector<Outcome> outcomes(static_cast<std::size_t>(ranks));
  const Deadline deadline = Deadline::in(deadline_seconds);
  for (int left = ranks; left > 0;) {
    const bool over = deadline.expired();
    for (int rank = 0; rank < ranks; ++rank) {
      if (team.pid[rank] <= 0) continue;
      if (over) kill(team.pid[rank], SIGKILL);
      int status = 0;
      if (waitpid(team.pid[rank], &status, over ? 0 : WNOHANG) != team.pid[rank]) continue;
      const Team::Said& said = team.said_[rank];
      outcomes[static_cast<std::size_t>(rank)] = {!over, WIFSIGNALED(status) ? WTERMSIG(status) : 0, said.status,
                                                  said.whole ? said.text : "(said nothing)"};
      team.pid[rank] = 0;
      --left;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  munmap(memory, sizeof(Team));
  return outcomes;
}

}  // namespace gossamer::testing
