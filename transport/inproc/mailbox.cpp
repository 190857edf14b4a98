#include "transport/inproc/mailbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gossamer::inproc {
namespace {

/// Both transfers get their outcome here; the caller then tells the side that is not its own.
void deliver(Operation& send, Operation& receive) noexcept {
  send.status = Status::ok;
  send.bytes = send.size;
  if (send.size > receive.size) {
    receive.status = Status::corrupt;
    receive.bytes = 0;
    return;
  }
  if (send.size > 0) std::memcpy(receive.target, send.source, send.size);
  receive.status = Status::ok;
  receive.bytes = send.size;
}

void set_failed(Operation& operation) noexcept {
  operation.status = Status::peer;
  operation.bytes = 0;
}

}  // namespace

Mailbox::Mailbox() : event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_fd_ < 0) fail(Status::system, "transport inproc: eventfd: ", std::strerror(errno));
}

Mailbox::~Mailbox() {
  ::close(event_fd_);
}

bool Mailbox::post_send(Operation& send) {
  Operation* receive = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      set_failed(send);
      return true;
    }
    receive = receives_.take(send.sender, send.tag);
    if (receive == nullptr) {
      sends_.put(send);
      send.state = Operation::State::queued;
      return false;
    }
    receive->state = Operation::State::matched;
  }
  deliver(send, *receive);
  complete(*receive);
  return true;
}

bool Mailbox::post_receive(Operation& receive) {
  Operation* send = nullptr;
  {
    const std::lock_guard lock(mutex_);
    send = sends_.take(receive.sender, receive.tag);
    if (send == nullptr) {
      if (std::find(closed_senders_.begin(), closed_senders_.end(), receive.sender) != closed_senders_.end()) {
        set_failed(receive);
        return true;
      }
      receives_.put(receive);
      receive.state = Operation::State::queued;
      return false;
    }
    send->state = Operation::State::matched;
  }
  deliver(*send, receive);
  // The sender may destroy its endpoint as soon as it has seen the completion, while complete() still unlocks.
  const std::shared_ptr<Mailbox> sender = send->owner->shared_from_this();
  sender->complete(*send);
  return true;
}

bool Mailbox::withdraw(Operation& operation) noexcept {
  const std::lock_guard lock(mutex_);
  if (operation.state != Operation::State::queued) return false;
  (operation.is_send ? sends_ : receives_).remove(operation);
  operation.state = Operation::State::unused;
  return true;
}

void Mailbox::complete(Operation& operation) noexcept {
  const std::lock_guard lock(mutex_);
  complete_locked(operation);
}

void Mailbox::complete_locked(Operation& operation) noexcept {
  operation.next = nullptr;
  (last_completed_ != nullptr ? last_completed_->next : first_completed_) = &operation;
  last_completed_ = &operation;
  any_completed_.store(true, std::memory_order_release);
  if (!armed_) return;
  armed_ = false;
  signalled_ = true;
  ::eventfd_write(event_fd_, 1);
}

Operation* Mailbox::take_completed() noexcept {
  if (!any_completed_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(mutex_);
  if (signalled_) {
    signalled_ = false;
    ::eventfd_t count = 0;
    ::eventfd_read(event_fd_, &count);
  }
  any_completed_.store(false, std::memory_order_relaxed);
  last_completed_ = nullptr;
  return std::exchange(first_completed_, nullptr);
}

bool Mailbox::arm() noexcept {
  const std::lock_guard lock(mutex_);
  armed_ = first_completed_ == nullptr;
  return armed_;
}

bool Mailbox::follow(const std::shared_ptr<Mailbox>& follower) {
  const std::lock_guard lock(mutex_);
  if (!closed_) followers_.push_back(follower);
  return !closed_;
}

void Mailbox::close(int rank) {
  std::vector<std::weak_ptr<Mailbox>> followers;
  Operation* orphan = nullptr;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    followers.swap(followers_);
    orphan = sends_.take_all([](const Operation&) { return true; });
    for (Operation* send = orphan; send != nullptr; send = send->next) send->state = Operation::State::matched;
  }
  while (orphan != nullptr) {
    Operation& send = *orphan;
    orphan = send.next;
    set_failed(send);
    const std::shared_ptr<Mailbox> sender = send.owner->shared_from_this();
    sender->complete(send);
  }
  for (const std::weak_ptr<Mailbox>& follower : followers) {
    if (const std::shared_ptr<Mailbox> mailbox = follower.lock()) mailbox->sender_closed(rank);
  }
}

void Mailbox::sender_closed(int sender) noexcept {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_senders_.push_back(sender);
  Operation* receive = receives_.take_all([&](const Operation& operation) { return operation.sender == sender; });
  while (receive != nullptr) {
    Operation& failed = *receive;
    receive = failed.next;
    failed.state = Operation::State::matched;
    set_failed(failed);
    complete_locked(failed);
  }
}

}  // namespace gossamer::inproc
