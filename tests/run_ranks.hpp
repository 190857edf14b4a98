#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gossamer/gossamer.h"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

namespace gossamer::test {

/// Throws with the parts joined unless `condition` holds: how a rank's thread says that a test fails.
template <typename... Parts>
void expect(bool condition, Parts&&... parts) {
  if (!condition) throw std::runtime_error(sentence(std::forward<Parts>(parts)...));
}

namespace detail {

/// What became of each rank; shared with the threads.
struct RankOutcomes {
  explicit RankOutcomes(int size)
      : finished(static_cast<std::size_t>(size), false), failures(static_cast<std::size_t>(size)) {}

  void record(int rank, std::string failure) {
    const std::lock_guard lock(mutex);
    finished[static_cast<std::size_t>(rank)] = true;
    failures[static_cast<std::size_t>(rank)] = std::move(failure);
    ++count;
    changed.notify_all();
  }
  [[nodiscard]] std::string text() const {
    std::string all;
    for (std::size_t rank = 0; rank < failures.size(); ++rank) {
      if (!failures[rank].empty()) all += sentence("\n  rank ", rank, ": ", failures[rank]);
    }
    return all;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<bool> finished;
  std::vector<std::string> failures;
  std::size_t count = 0;
};

inline std::string failure_of(const std::function<void(int)>& rank_main, int rank) {
  try {
    rank_main(rank);
    return {};
  } catch (const std::exception& error) {
    return *error.what() != '\0' ? error.what() : "an exception without words";
  } catch (...) {
    return "a REQUIRE failed, or something was thrown that is no std::exception";
  }
}

/// Threads cannot be cancelled: the only way on from a hang is out of the process.
[[noreturn]] inline void give_up(const RankOutcomes& outcomes, double deadline_seconds) {
  std::string stuck;
  for (std::size_t rank = 0; rank < outcomes.finished.size(); ++rank) {
    if (!outcomes.finished[rank]) stuck += sentence(' ', rank);
  }
  const std::string failures = outcomes.text();
  std::fprintf(stderr, "run_ranks: still running after %g s: rank(s)%s; failures so far:%s\n", deadline_seconds,
               stuck.c_str(), failures.empty() ? " none" : failures.c_str());
  std::fflush(nullptr);
  std::_Exit(EXIT_FAILURE);
}

}  // namespace detail

/// Runs rank_main(rank) on `size` threads and waits for all of them. Throws std::runtime_error naming every rank that
/// failed, and how. When ranks still run after `deadline_seconds`, prints which and ends the process with a failure.
inline void run_ranks(int size, const std::function<void(int)>& rank_main, double deadline_seconds = 60.0) {
  detail::RankOutcomes outcomes(size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] { outcomes.record(rank, detail::failure_of(rank_main, rank)); });
  }
  {
    std::unique_lock lock(outcomes.mutex);
    const auto all_finished = [&] { return outcomes.count == static_cast<std::size_t>(size); };
    if (!outcomes.changed.wait_for(lock, Seconds(deadline_seconds), all_finished)) {
      detail::give_up(outcomes, deadline_seconds);
    }
  }
  for (std::thread& thread : threads) thread.join();
  const std::string failures = outcomes.text();
  if (!failures.empty()) throw std::runtime_error(sentence("of ", size, " ranks:", failures));
}

/// Barrier and all-gather among the threads of run_ranks, and a `goss_bootstrap` made of them.
/// A rank that waits longer than `patience_seconds` for the others gets a failure instead of a hang.
class ThreadGroup {
 public:
  explicit ThreadGroup(int size, double patience_seconds = 40.0) : patience_seconds_(patience_seconds) {
    for (int rank = 0; rank < size; ++rank) members_.push_back({this, rank});
  }
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;

  [[nodiscard]] int size() const noexcept { return static_cast<int>(members_.size()); }

  /// Throws when some rank does not come.
  void barrier() { expect(arrive(), "a rank did not come to the barrier within ", patience_seconds_, " s"); }

  /// `all` holds size() blobs of `bytes`, in rank order, afterwards. Throws when some rank does not come.
  void all_gather(int rank, const void* mine, void* all, std::size_t bytes) {
    expect(try_all_gather(rank, mine, all, bytes), "all-gather of ", bytes, " bytes failed on rank ", rank);
  }

  /// Valid as long as the group lives.
  [[nodiscard]] goss_bootstrap bootstrap(int rank) {
    goss_bootstrap bootstrap{};
    bootstrap.rank = rank;
    bootstrap.size = size();
    bootstrap.allgather = [](void* context, const void* mine, void* all, std::size_t bytes) {
      const Member& member = *static_cast<Member*>(context);
      return member.group->try_all_gather(member.rank, mine, all, bytes) ? 0 : -1;
    };
    bootstrap.context = &members_[static_cast<std::size_t>(rank)];
    return bootstrap;
  }

 private:
  struct Member {
    ThreadGroup* group;
    int rank;
  };

  bool arrive() {
    std::unique_lock lock(mutex_);
    const std::size_t round = round_;
    if (++arrived_ == members_.size()) {
      arrived_ = 0;
      ++round_;
      changed_.notify_all();
      return true;
    }
    return changed_.wait_for(lock, Seconds(patience_seconds_), [&] { return round_ != round; });
  }

  bool try_all_gather(int rank, const void* mine, void* all, std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      gathered_.resize(std::max(gathered_.size(), bytes * members_.size()));
      if (bytes > 0) std::memcpy(gathered_.data() + bytes * static_cast<std::size_t>(rank), mine, bytes);
    }
    if (!arrive()) return false;
    {
      const std::lock_guard lock(mutex_);
      if (bytes > 0) std::memcpy(all, gathered_.data(), bytes * members_.size());
    }
    return arrive();
  }

  double patience_seconds_;
  std::vector<Member> members_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t arrived_ = 0;
  std::size_t round_ = 0;
  std::vector<std::byte> gathered_;
};

}  // namespace gossamer::test
