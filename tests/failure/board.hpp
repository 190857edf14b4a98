#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

/// What the driver of a failure test and its workers share: memory that outlives a killed rank, so that the driver
/// knows how far each came and what it heard.
namespace gossamer::failure {

constexpr int kMostRanks = 16;

/// Seconds on a clock that all processes of a machine share.
inline double now() noexcept {
  return Seconds(Clock::now().time_since_epoch()).count();
}

/// How a worker makes its calls.
enum class Style : int { blocking, wait_all, test };

/// What a gossip worker does in each of its calls.
enum class Gossip : int { mix, push_pull, all_reduce_and_mix };

enum class Stage : int {
  starting,
  running,   ///< all its calls so far have succeeded, at least one
  late,      ///< away from the call that the others are in
  returned,  ///< a call has failed; what it said is in the report
  gone       ///< goss_comm_destroy has returned
};

/// The same for all ranks: they repeat calls until one fails.
struct Plan {
  char config[200] = {};
  char codec[64] = {};
  int gather = 0;            ///< how many workers to wait for before meeting, so that slow starts cost no patience
  std::size_t elements = 0;  ///< of each tensor
  int tensors = 1;           ///< under way at once, unless blocking
  Style style = Style::blocking;
  int late_rank = -1;           ///< stays away from call `late_call` until `end`
  std::uint64_t late_call = 0;  ///< counted from 0
  Gossip gossip = Gossip::mix;  ///< of gossip workers
  std::uint64_t seed = 0;       ///< of their models
};

/// The model with which a gossip worker begins.
inline std::vector<float> first_model(const Plan& plan, int rank) {
  std::mt19937 random(static_cast<unsigned>(plan.seed * 1000 + static_cast<unsigned>(rank)));
  std::vector<float> model(plan.elements);
  for (float& value : model) value = static_cast<float>(random() % 2001) / 1000 - 1;
  return model;
}

constexpr std::size_t kSamples = 16;

/// What became of one rank. Written by that rank; what stands above `stage` is whole from Stage::returned on.
struct Report {
  int status = 0;
  char said[1500] = {};    ///< goss_last_error() of the call that failed
  double returned_at = 0;  ///< when that call returned
  int dead[kMostRanks] = {};
  int dead_count = -1;  ///< goss_comm_failed
  int later_status[3] = {};
  double later_seconds = 0;  ///< what three more calls took: all-reduce, barrier, registration
  double gone_at = 0;
  int around[kMostRanks] = {};
  int around_count = -1;         ///< goss_comm_neighbours
  double weight = 0;             ///< goss_tensor_weight of a gossip worker, at its end, as what follows
  float samples[kSamples] = {};  ///< values of its model, spread over it
  double outside = 0;            ///< how far its values are from the range of all first models
  char described[3000] = {};     ///< goss_comm_describe
  std::atomic<int> stage{0};
  std::atomic<std::uint64_t> calls{0};
  std::atomic<int> buried{0};         ///< how many dead it knows, in `dead`
  std::atomic<std::uint64_t> got{0};  ///< messages it has pulled
  std::atomic<std::uint64_t> drains{0};

  [[nodiscard]] Stage at() const noexcept { return static_cast<Stage>(stage.load()); }
};

struct Board {
  Plan plan;
  std::atomic<int> arrived{0};            ///< workers that have started
  std::atomic<int> end{0};                ///< a late rank may come back; gossip workers are to leave
  std::atomic<std::uint64_t> allowed{0};  ///< calls of gossip workers; then they wait, or drain what is in flight
  Report reports[kMostRanks];
};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

/// A board in shared memory. The driver makes it, workers open it by path.
class SharedBoard {
 public:
  SharedBoard() {
    char path[] = "/tmp/gossamer-board-XXXXXX";
    map(mkstemp(path), path);
    path_ = path;
    new (board_) Board;
  }
  explicit SharedBoard(const char* path) { map(open(path, O_RDWR | O_CLOEXEC), path); }
  ~SharedBoard() {
    munmap(board_, sizeof(Board));
    if (!path_.empty()) unlink(path_.c_str());
  }
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;

  [[nodiscard]] Board& board() const noexcept { return *static_cast<Board*>(board_); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  void map(int file, const char* path) {
    if (file < 0) fail(Status::system, "cannot open ", path, ": ", std::strerror(errno));
    if (ftruncate(file, sizeof(Board)) == 0) {
      board_ = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    const int error = errno;
    close(file);
    if (board_ == MAP_FAILED) fail(Status::system, "cannot map ", path, ": ", std::strerror(error));
  }

  std::string path_;  // the maker's
  void* board_ = MAP_FAILED;
};

inline void copy_text(char* to, std::size_t capacity, const std::string& text) {
  std::snprintf(to, capacity, "%s", text.c_str());
}

}  // namespace gossamer::failure
