#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "transport/transport.hpp"

namespace gossamer::inproc {

class Mailbox;

/// A posted send or receive. It belongs to the pool of the endpoint that posted it; while it is queued or matched,
/// other threads reach it through a mailbox.
struct Operation {
  enum class State : std::uint8_t { unused, queued, matched };

  State state = State::unused;  ///< guarded by the mutex of `place`
  bool is_send = false;
  Transfer* transfer = nullptr;  ///< touched by the owner's thread only; null when abandoned
  const std::byte* source = nullptr;
  std::byte* target = nullptr;
  std::size_t size = 0;
  int sender = -1;
  std::uint64_t tag = 0;
  Mailbox* owner = nullptr;  ///< of the endpoint that posted it: where its completion goes
  Mailbox* place = nullptr;  ///< of the receiver: where it waits for its counterpart; null while in the pool
  Status status = Status::ok;
  std::size_t bytes = 0;
  Operation* previous = nullptr;
  Operation* next = nullptr;
};

/// Operations that wait for a counterpart, first in first out per (sender, tag). A hash table of intrusive lists:
/// nothing is allocated but when the table grows. Not thread-safe.
class MatchTable {
 public:
  MatchTable() : buckets_(64) {}

  void put(Operation& operation) noexcept;
  /// The oldest with this sender and tag, taken out; null when there is none.
  Operation* take(int sender, std::uint64_t tag) noexcept;
  void remove(Operation& operation) noexcept;
  /// Takes out all that `unwanted` chooses, chained by `next`.
  template <typename Predicate>
  Operation* take_all(Predicate unwanted) noexcept {
    Operation* taken = nullptr;
    for (Bucket& bucket : buckets_) {
      for (Operation* operation = bucket.first; operation != nullptr;) {
        Operation& current = *operation;
        operation = current.next;
        if (!unwanted(current)) continue;
        remove(current);
        current.next = taken;
        taken = &current;
      }
    }
    return taken;
  }

 private:
  struct Bucket {
    Operation* first = nullptr;
    Operation* last = nullptr;
  };

  Bucket& bucket_of(int sender, std::uint64_t tag) noexcept;
  void append(Operation& operation) noexcept;
  void grow() noexcept;

  std::vector<Bucket> buckets_;  ///< a power of two
  std::size_t count_ = 0;
};

}  // namespace gossamer::inproc
