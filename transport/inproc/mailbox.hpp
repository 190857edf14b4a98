#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "transport/inproc/match_table.hpp"

namespace gossamer::inproc {

/// What other threads know of an endpoint: where sends to it and its receives meet, and where completions that others
/// bring about queue up for it. All functions are thread-safe; no two mailboxes are ever locked at once.
///
/// The party that completes a match copies, outside the lock. Until then nobody but the owner may free an operation,
/// and the owner takes it back with withdraw() or waits for its completion.
class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  /// Throws `system` when the kernel has no event descriptor left.
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Puts a send to this mailbox's owner, from the sender's thread. True when `send` is done already, with its status.
  bool post_send(Operation& send);
  /// Puts a receive of this mailbox's owner, from its own thread. True when `receive` is done already.
  bool post_receive(Operation& receive);
  /// Takes back an operation that has no counterpart yet; false when it is too late and a completion will come.
  bool withdraw(Operation& operation) noexcept;

  /// Operations completed by others since the last call, oldest first, chained by `next`.
  Operation* take_completed() noexcept;
  [[nodiscard]] int event_fd() const noexcept { return event_fd_; }
  /// False when completions wait; otherwise the next one makes the descriptor readable.
  bool arm() noexcept;

  /// `follower` wants to hear when this mailbox closes. False when it has closed.
  bool follow(const std::shared_ptr<Mailbox>& follower);
  /// The owner, rank `rank`, leaves: waiting sends to it, and receives of its followers from it, complete with `peer`.
  void close(int rank);

 private:
  void complete(Operation& operation) noexcept;
  void complete_locked(Operation& operation) noexcept;
  void sender_closed(int sender) noexcept;

  std::mutex mutex_;
  MatchTable sends_;
  MatchTable receives_;
  std::vector<int> closed_senders_;
  std::vector<std::weak_ptr<Mailbox>> followers_;
  bool closed_ = false;

  Operation* first_completed_ = nullptr;
  Operation* last_completed_ = nullptr;
  std::atomic<bool> any_completed_ = false;  ///< lets an idle progress() do without the mutex
  bool armed_ = false;
  bool signalled_ = false;
  int event_fd_ = -1;
};

}  // namespace gossamer::inproc
