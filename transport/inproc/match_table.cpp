#include "transport/inproc/match_table.hpp"

#include <new>
#include <utility>

namespace gossamer::inproc {

MatchTable::Bucket& MatchTable::bucket_of(int sender, std::uint64_t tag) noexcept {
  const std::uint64_t mixed = (tag ^ (static_cast<std::uint64_t>(sender) << 40)) * 0x9E3779B97F4A7C15ULL;
  return buckets_[(mixed >> 32) & (buckets_.size() - 1)];
}

void MatchTable::append(Operation& operation) noexcept {
  Bucket& bucket = bucket_of(operation.sender, operation.tag);
  operation.previous = bucket.last;
  operation.next = nullptr;
  (bucket.last != nullptr ? bucket.last->next : bucket.first) = &operation;
  bucket.last = &operation;
}

void MatchTable::grow() noexcept {
  std::vector<Bucket> old;
  try {
    old.resize(buckets_.size() * 4);
  } catch (const std::bad_alloc&) {
    return;  // longer lists are slower, not wrong
  }
  std::swap(old, buckets_);
  for (const Bucket& bucket : old) {
    for (Operation* operation = bucket.first; operation != nullptr;) {
      Operation* const next = operation->next;
      append(*operation);
      operation = next;
    }
  }
}

void MatchTable::put(Operation& operation) noexcept {
  if (count_ >= buckets_.size()) grow();
  append(operation);
  ++count_;
}

Operation* MatchTable::take(int sender, std::uint64_t tag) noexcept {
  if (count_ == 0) return nullptr;
  for (Operation* operation = bucket_of(sender, tag).first; operation != nullptr; operation = operation->next) {
    if (operation->tag == tag && operation->sender == sender) {
      remove(*operation);
      return operation;
    }
  }
  return nullptr;
}

void MatchTable::remove(Operation& operation) noexcept {
  Bucket& bucket = bucket_of(operation.sender, operation.tag);
  (operation.previous != nullptr ? operation.previous->next : bucket.first) = operation.next;
  (operation.next != nullptr ? operation.next->previous : bucket.last) = operation.previous;
  operation.previous = operation.next = nullptr;
  --count_;
}

}  // namespace gossamer::inproc
