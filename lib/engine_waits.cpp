// How coroutines wait for transfers, and what becomes of transfers that fail.
#include <algorithm>
#include <cmath>

#include "lib/engine.hpp"

namespace gossamer {
namespace {

// How long the lifelines may take to say why a connection was lost.
constexpr auto kDoubtInterval = std::chrono::milliseconds(500);
// How long the ranks may take to say that they are in a call.
constexpr auto kRollCallInterval = std::chrono::milliseconds(500);

}  // namespace

bool Wait::await_ready() const noexcept {
  return transfer_.state != Transfer::State::pending && !engine_.in_doubt(transfer_);
}

void Wait::await_suspend(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  since_ = Clock::now();
  transfer_.context = this;
  next_ = engine_.waiting_;
  if (next_ != nullptr) next_->previous_ = this;
  engine_.waiting_ = this;
  if (engine_.failed_.load(std::memory_order_relaxed) || engine_.hopeless(*this)) engine_.make_ready(*this);
}

void Wait::leave_queue() noexcept {
  if (!waiter_) return;
  transfer_.context = nullptr;
  if (previous_ != nullptr) previous_->next_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  if (engine_.waiting_ == this) engine_.waiting_ = next_;
}

Casualty Wait::failed_transfer() const {
  return {transfer_.peer, transfer_.status,
          sentence("rank ", transfer_.peer,
                   transfer_.status == Status::peer      ? ": connection lost"
                   : transfer_.status == Status::corrupt ? " sent a message longer than its payload can be"
                                                         : ": transfer failed")};
}

std::optional<std::size_t> Wait::conclude() {
  leave_queue();
  const bool ended = transfer_.state != Transfer::State::pending;
  if (ended && transfer_.status != Status::ok) engine_.hear_of(failed_transfer());
  if (engine_.failed_.load(std::memory_order_relaxed)) {
    const Casualty casualty = *engine_.failure();
    fail(casualty.status, casualty.sentence, "; this rank was in ", activity_.describe());
  }
  engine_.expect_everybody(activity_);
  if (ended && transfer_.status == Status::ok) return transfer_.bytes;
  return std::nullopt;
}

std::size_t Wait::await_resume() {
  const std::optional<std::size_t> bytes = conclude();
  if (!bytes) fail(Status::peer, "rank ", transfer_.peer, " died; this rank was in ", activity_.describe());
  return *bytes;
}

void Engine::make_ready(Wait& wait) noexcept {
  if (std::exchange(wait.queued_, true)) return;
  (ready_last_ == nullptr ? ready_first_ : ready_last_->next_ready_) = &wait;
  ready_last_ = &wait;
}

void Engine::on_transfer(Transfer& transfer) noexcept {
  if (transfer.context == nullptr) return;
  Wait& wait = *static_cast<Wait*>(transfer.context);
  if (wait.engine_.in_doubt(transfer)) {
    wait.since_ = Clock::now();
  } else {
    wait.engine_.make_ready(wait);
  }
}

/// A lost connection does not tell whose fault it is: a survivor that gave up because another rank died closes its
/// connections too. The lifelines know, so they are asked first.
bool Engine::in_doubt(const Transfer& transfer) const noexcept {
  return transfer.state == Transfer::State::done && transfer.status == Status::peer && lifelines_ != nullptr &&
         !failed_.load(std::memory_order_relaxed) && !dead(transfer.peer);
}

/// Nothing more will come of it: who is waited for has died, or the call cannot do without the dead.
bool Engine::hopeless(const Wait& wait) const noexcept {
  return !deaths_.empty() && (wait.activity_.needs_everybody() || dead(wait.transfer_.peer));
}

bool Engine::dead(int rank) const noexcept {
  return std::ranges::find(deaths_, rank, &Casualty::rank) != deaths_.end();
}

std::vector<Casualty> Engine::deaths() const {
  std::lock_guard lock(mutex_);
  return deaths_;
}

void Engine::expect_everybody(const Activity& activity) const {
  if (deaths_.empty() || !activity.needs_everybody()) return;
  fail(Status::peer, deaths_.front().sentence, "; this rank was in ", activity.describe(), ", which needs all ranks");
}

/// A communicator survives deaths of others only: not its own, of which a rank hears that was cut off from its
/// neighbours, and not a rank that is stopped, which may come back.
void Engine::hear_of(const Casualty& casualty) {
  if (failed_.load(std::memory_order_relaxed)) return;  // the others end, too, which is no death
  const bool somebody_else = casualty.rank >= 0 && casualty.rank != options_.rank;
  if (options_.survives && casualty.status == Status::peer && somebody_else) {
    bury(casualty);
  } else {
    fail_all(casualty);
  }
}

void Engine::bury(const Casualty& casualty) {
  if (dead(casualty.rank)) return;
  {
    std::lock_guard lock(mutex_);
    deaths_.push_back(casualty);
  }
  bereaved_.store(true, std::memory_order_release);
  if (lifelines_ != nullptr) lifelines_->announce(casualty);
  for (Wait* wait = waiting_; wait != nullptr; wait = wait->next_) {
    if (hopeless(*wait)) make_ready(*wait);
  }
}

void Engine::settle_doubts(Clock::time_point now) {
  for (Wait* wait = waiting_; wait != nullptr; wait = wait->next_) {
    if (in_doubt(wait->transfer_) && now - wait->since_ > kDoubtInterval) make_ready(*wait);
  }
}

void Engine::check_deadlines(Clock::time_point now) {
  if (failed_.load(std::memory_order_relaxed)) return;
  const Clock::time_point oldest_allowed =
      now - std::chrono::duration_cast<Clock::duration>(Seconds(options_.timeout_seconds));
  const Wait* overdue = nullptr;
  for (Wait* wait = waiting_; wait != nullptr && patience_from_ <= oldest_allowed; wait = wait->next_) {
    if (wait->since_ <= oldest_allowed && !wait->queued_) overdue = wait;
  }
  if (overdue != nullptr && lifelines_ == nullptr) return blame(*overdue, now);
  if (lifelines_ != nullptr && waiting_ != nullptr && (overdue != nullptr || lifelines_->roll_called())) {
    call_roll(overdue, now);
  }
}

/// When one rank is missing, all that wait for it, and all that wait for those, run out of patience at the same time.
/// So everybody first says that it is in a call, which makes its neighbours say so: only who stays silent is to blame.
/// When nobody is (the ranks are in different calls), whoever is overdue blames the rank it waits for.
void Engine::call_roll(const Wait* overdue, Clock::time_point now) {
  lifelines_->attend();
  if (!roll_called_) roll_called_ = now;
  if (now - *roll_called_ < kRollCallInterval) return;
  for (Wait* wait = waiting_; wait != nullptr; wait = wait->next_) {
    const bool long_enough = wait->since_ <= *roll_called_ && !wait->queued_;
    if (long_enough && !lifelines_->present(wait->transfer_.peer)) return blame(*wait, now);
  }
  if (overdue != nullptr && now - *roll_called_ > 3 * kRollCallInterval) blame(*overdue, now);
}

void Engine::blame(const Wait& wait, Clock::time_point now) {
  const double seconds = std::round(Seconds(now - wait.since_).count() * 10) / 10;
  fail_all({wait.transfer_.peer, Status::timeout,
            sentence("rank ", wait.transfer_.peer, " did not answer rank ", options_.rank, " for ", seconds,
                     " s (timeout=", options_.timeout_seconds, ") in ", wait.activity_.describe())});
}

bool Engine::resume_ready() {
  if (ready_first_ == nullptr) return false;
  while (ready_first_ != nullptr) {
    Wait* wait = ready_first_;
    ready_first_ = wait->next_ready_;
    if (ready_first_ == nullptr) ready_last_ = nullptr;
    wait->waiter_.resume();
  }
  return true;
}

Flight::Flight(Engine& engine) noexcept : engine_(engine) {
  transfer_.notify = Engine::on_transfer;
}

void Flight::send(int peer, std::uint64_t tag, Bytes data, Traffic& traffic) {
  transfer_.context = nullptr;
  engine_.endpoint_.send(peer, tag, data, transfer_);
  traffic.sent += data.size();
}

void Flight::receive(int peer, std::uint64_t tag, MutableBytes buffer, Traffic&) {
  transfer_.context = nullptr;
  engine_.endpoint_.receive(peer, tag, buffer, transfer_);
}

Signal::Signal(Engine& engine) noexcept : engine_(engine) {
  transfer_.peer = engine.rank();
  transfer_.notify = Engine::on_transfer;
}

void Signal::expect() noexcept {
  transfer_.context = nullptr;
  transfer_.state = Transfer::State::pending;
}

void Signal::raise() noexcept {
  transfer_.state = Transfer::State::done;
  Engine::on_transfer(transfer_);
}

void Flight::land() noexcept {
  if (transfer_.state == Transfer::State::pending) engine_.endpoint_.abandon(transfer_);
  transfer_.state = Transfer::State::idle;
}

}  // namespace gossamer
