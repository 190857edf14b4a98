#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <string>
#include <vector>

#include "tests/transport_world.hpp"

namespace gossamer::test {

/// A board that forked processes share.
class SharedMemoryBoard {
 public:
  SharedMemoryBoard() {
    void* const memory =
        ::mmap(nullptr, sizeof(SharedBoard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(memory != MAP_FAILED, "mmap of the shared board failed");
    board_ = new (memory) SharedBoard;
  }
  ~SharedMemoryBoard() { ::munmap(board_, sizeof(SharedBoard)); }
  SharedMemoryBoard(const SharedMemoryBoard&) = delete;
  SharedMemoryBoard& operator=(const SharedMemoryBoard&) = delete;

  SharedBoard& operator*() noexcept { return *board_; }

 private:
  SharedBoard* board_;
};

namespace detail {

[[noreturn]] inline void child_main(int rank, int size, SharedBoard& board, const RankMain& rank_main) {
  int code = 0;
  {
    World world(rank, size, board);
    try {
      rank_main(world);
    } catch (const std::exception& error) {
      fail_rank(board, rank, error.what());
      code = 1;
    }
  }
  std::fflush(nullptr);
  ::_exit(code);
}

/// "" when the process ended as it should; kills what outstays the deadline.
inline std::string verdict(pid_t child, const Deadline& deadline, int expected_signal) {
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (deadline.expired()) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return "did not end in time";
    }
    ::usleep(2000);
  }
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == expected_signal ? "" : sentence("died of signal ", WTERMSIG(status));
  }
  if (expected_signal != 0) return sentence("ended by itself instead of by signal ", expected_signal);
  return WEXITSTATUS(status) == 0 ? "" : sentence("ended with code ", WEXITSTATUS(status));
}

}  // namespace detail

/// Runs rank_main on `size` ranks that are processes. Throws std::runtime_error naming every rank that failed.
/// Rank `doomed` (none by default) is expected to die of SIGKILL.
inline void run_processes(int size, const RankMain& rank_main, int doomed = -1) {
  SharedMemoryBoard board;
  std::vector<pid_t> children;
  std::fflush(nullptr);
  for (int rank = 0; rank < size; ++rank) {
    const pid_t child = ::fork();
    if (child == 0) detail::child_main(rank, size, *board, rank_main);
    children.push_back(child);
  }
  const Deadline deadline = Deadline::in(60.0);
  std::string failures;
  for (int rank = 0; rank < size; ++rank) {
    const auto index = static_cast<std::size_t>(rank);
    const std::string verdict = detail::verdict(children[index], deadline, rank == doomed ? SIGKILL : 0);
    if (!verdict.empty()) {
      failures += sentence("\n  rank ", rank, ' ', verdict, ": ", (*board).failure_texts[index].data());
    }
  }
  if (!failures.empty()) throw std::runtime_error(sentence("of ", size, " processes:", failures));
}

}  // namespace gossamer::test
