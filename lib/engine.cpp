#include "lib/engine.hpp"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace gossamer {
namespace {

// Idle turns before the driver gives its core away, and before it sleeps. Spinning is ruinous where ranks share cores,
// so it is brief; a yield costs a third of a microsecond when nobody else wants the core. A network is slower than
// waking up, and polling it takes the kernel's time away from the packets: sleep early when all neighbours are remote.
constexpr unsigned kSpinTurns = 16;
constexpr unsigned kYieldTurns = 4000;
constexpr unsigned kRemoteYieldTurns = 64;
constexpr auto kLongYield = std::chrono::milliseconds(10);
constexpr auto kCrowdedInterval = std::chrono::seconds(1);
constexpr auto kLookInterval = std::chrono::milliseconds(5);
constexpr int kSleepMilliseconds = 5;
constexpr auto kUndrivenGap = std::chrono::seconds(1);

int checked(int result, const char* call) {
  if (result < 0) fail(Status::system, call, " failed: ", std::strerror(errno));
  return result;
}

void watch(int epoll, int fd) {
  if (fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  checked(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

}  // namespace

Engine::Engine(Endpoint& endpoint, Lifelines* lifelines, const Options& options)
    : endpoint_(endpoint), lifelines_(lifelines), options_(options) {
  epoll_ = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  wake_event_ = checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  watch(epoll_, wake_event_);
  watch(epoll_, endpoint_.event_fd());
  if (lifelines_ != nullptr) watch(epoll_, lifelines_->wait_fd());
  last_driven_ = patience_from_ = Clock::now();
  if (options_.progress_thread) progress_ = std::thread([this] { progress_loop(); });
}

Engine::~Engine() {
  if (progress_.joinable()) {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    work_there_.notify_all();
    wake();
    progress_.join();
  }
  close(wake_event_);
  close(epoll_);
}

// ---- Jobs ----------------------------------------------------------------------------------------------------------

Task Engine::run(CoroutineHome&, Engine& engine, Job& job, Task body) {
  try {
    co_await body;
    job.status = Status::ok;
  } catch (const Error& error) {
    job.status = error.status();
    job.sentence = error.what();
  } catch (const std::bad_alloc&) {
    job.status = Status::memory;
    job.sentence = "out of memory during a call";
  } catch (const std::exception& error) {
    job.status = Status::internal;
    job.sentence = error.what();
  }
  // The other ranks are in the middle of this call. Only a numeric refusal is one that all ranks reach by themselves,
  // and a death that does not end the communicator.
  const bool all_know = job.status == Status::numeric || (job.status == Status::peer && engine.options_.survives);
  if (job.status != Status::ok && !all_know) {
    engine.fail_all({engine.rank(), job.status, sentence("rank ", engine.rank(), ": ", job.sentence)});
  }
  job.next = engine.finished_;
  engine.finished_ = &job;
}

void Engine::submit(Job& job, CoroutineHome& home, Task body, bool wait_follows) {
  job.done.store(false, std::memory_order_relaxed);
  job.task = run(home, *this, job, std::move(body));
  bool wake_driver = false;
  bool wake_progress = false;
  {
    std::lock_guard lock(mutex_);
    job.next = submitted_;
    submitted_ = &job;
    any_submitted_.store(true, std::memory_order_release);
    active_jobs_.fetch_add(1);
    wake_driver = seat_taken_;
    wake_progress = !wait_follows && !seat_taken_ && callers_ == 0 && options_.progress_thread;
  }
  if (wake_driver && sleeping_.load()) wake();
  if (wake_progress) work_there_.notify_one();
}

bool Engine::start_submitted() {
  if (!any_submitted_.load(std::memory_order_acquire)) return false;
  Job* newest = nullptr;
  {
    std::lock_guard lock(mutex_);
    newest = std::exchange(submitted_, nullptr);
    any_submitted_.store(false, std::memory_order_relaxed);
  }
  Job* oldest = nullptr;  // reversed: first posted, first started
  while (newest != nullptr) {
    Job* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    Job* job = oldest;
    oldest = job->next;
    job->task.start();
  }
  return true;
}

bool Engine::publish_finished() {
  if (finished_ == nullptr) return false;
  for (Job* job = std::exchange(finished_, nullptr); job != nullptr;) {
    Job* next = job->next;
    active_jobs_.fetch_sub(1);
    job->done.store(true, std::memory_order_release);  // the job may be gone from here on
    job = next;
  }
  if (callers_waiting_.load()) {
    std::lock_guard lock(mutex_);
    seat_free_.notify_all();
  }
  return true;
}

// ---- Driving -------------------------------------------------------------------------------------------------------

bool Engine::turn() {
  bool busy = start_submitted();
  busy |= endpoint_.progress();
  for (std::size_t i = 0; i < attendants_.size() && !failed_.load(std::memory_order_relaxed); ++i)
    busy |= attendants_[i]->attend();
  busy |= resume_ready();
  busy |= publish_finished();
  return busy;
}

template <typename Predicate>
void Engine::drive(Predicate&& finished) {
  Idleness idleness;
  unsigned turns = 0;
  while (!finished()) {
    if (turn()) {
      idleness = {};
      if (++turns % 16 == 0) look_around(Clock::now());
    } else {
      idle(idleness);
    }
  }
}

void Engine::idle(Idleness& idleness) {
  if (++idleness.turns < kSpinTurns) return;
  const Clock::time_point now = Clock::now();
  look_around(now);
  // Others compute on these cores when a yield takes that long: the scheduler then treats who yields worse than who
  // sleeps (Linux 6.18: 4000 yields beside 8 busy processes on 2 cores took 26 s, waking up from epoll 10 ms).
  if (idleness.yielded && now - *idleness.yielded > kLongYield) crowded_until_ = now + kCrowdedInterval;
  idleness.yielded.reset();
  if (now < crowded_until_ || idleness.turns > (options_.shares_host ? kYieldTurns : kRemoteYieldTurns)) {
    sleep();
  } else {
    idleness.yielded = now;
    sched_yield();
  }
}

void Engine::sleep() {
  sleeping_.store(true);
  if (!any_submitted_.load() && endpoint_.arm()) {
    std::array<epoll_event, 4> events;
    epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kSleepMilliseconds);
  }
  sleeping_.store(false);
  std::uint64_t count = 0;
  static_cast<void>(::read(wake_event_, &count, sizeof count));
}

void Engine::wake() noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_event_, &one, sizeof one));
}

void Engine::look_around(Clock::time_point now) {
  if (now - last_look_ < kLookInterval) return;
  last_look_ = now;
  if (now - last_driven_ > kUndrivenGap) patience_from_ = now;
  last_driven_ = now;
  if (lifelines_ != nullptr) {
    while (const std::optional<Casualty> casualty = lifelines_->poll()) hear_of(*casualty);
  }
  settle_doubts(now);
  check_deadlines(now);
}

void Engine::fail_all(const Casualty& casualty) {
  {
    std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = casualty;
    failed_.store(true);
  }
  if (lifelines_ != nullptr) lifelines_->announce(casualty);
  for (Wait* wait = waiting_; wait != nullptr; wait = wait->next_) make_ready(*wait);
}

std::optional<Casualty> Engine::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

// ---- Who drives ----------------------------------------------------------------------------------------------------

void Engine::wait(Job& job) {
  if (job.done.load(std::memory_order_acquire)) return;
  std::unique_lock lock(mutex_);
  ++callers_;
  callers_waiting_.store(true);
  while (!job.done.load(std::memory_order_acquire)) {
    if (seat_taken_) {
      if (sleeping_.load()) wake();  // the progress thread leaves the seat to a caller
      seat_free_.wait(lock);
      continue;
    }
    seat_taken_ = true;
    lock.unlock();
    drive([&job] { return job.done.load(std::memory_order_acquire); });
    lock.lock();
    seat_taken_ = false;
    seat_free_.notify_all();
  }
  --callers_;
  callers_waiting_.store(callers_ > 0);
  const bool more = callers_ == 0 && active_jobs_.load() > 0;
  lock.unlock();
  if (more) work_there_.notify_one();
}

void Engine::nudge() {
  {
    std::lock_guard lock(mutex_);
    if (seat_taken_) return;
    seat_taken_ = true;
  }
  turn();
  look_around(Clock::now());
  std::lock_guard lock(mutex_);
  seat_taken_ = false;
  seat_free_.notify_all();
  work_there_.notify_one();  // what came while the seat was taken
}

void Engine::hold() {
  active_jobs_.fetch_add(1);
  const std::lock_guard lock(mutex_);
  if (callers_ == 0 && !seat_taken_) work_there_.notify_one();
}

void Engine::release() noexcept {
  active_jobs_.fetch_sub(1);
}

void Engine::linger(double seconds, bool (*finished)(void*), void* context) {
  const Deadline deadline = Deadline::in(seconds);
  take_seat();
  drive([&] { return finished(context) || failed_.load() || deadline.expired(); });
  leave_seat();
}

void Engine::take_seat() {
  std::unique_lock lock(mutex_);
  ++callers_;
  seat_free_.wait(lock, [this] { return !seat_taken_; });
  seat_taken_ = true;
}

void Engine::leave_seat() {
  std::lock_guard lock(mutex_);
  --callers_;
  seat_taken_ = false;
  seat_free_.notify_all();
  work_there_.notify_one();
}

void Engine::progress_loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    work_there_.wait(lock, [this] { return stopping_ || (active_jobs_.load() > 0 && !seat_taken_ && callers_ == 0); });
    if (stopping_) return;
    seat_taken_ = true;
    lock.unlock();
    drive([this] { return active_jobs_.load() == 0 || callers_waiting_.load() || stopping_; });
    lock.lock();
    seat_taken_ = false;
    seat_free_.notify_all();
  }
}

}  // namespace gossamer
