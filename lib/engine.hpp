#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/lifelines.hpp"
#include "lib/task.hpp"
#include "transport/transport.hpp"

namespace gossamer {

class Engine;

/// One call in the making: its coroutine and, once `done`, its outcome. Owned by whoever waits for it.
struct Job {
  Task task;
  std::atomic<bool> done{true};
  Status status = Status::ok;
  std::string sentence;  ///< why it failed
  Job* next = nullptr;   ///< the engine's
};

/// Bytes on the wire, counted where they are posted.
struct Traffic {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

/// Says what a suspended coroutine is waiting for, should the wait fail: "all-reduce of 'w', reduce-scatter step 2 of
/// 3".
class Activity {
 public:
  [[nodiscard]] virtual std::string describe() const = 0;
  /// Otherwise it goes on without a rank that dies, if the communicator does.
  [[nodiscard]] virtual bool needs_everybody() const noexcept = 0;

 protected:
  ~Activity() = default;
};

/// A coroutine suspended until a transfer is done; lives in the coroutine's frame.
class Wait {
 public:
  Wait(Engine& engine, Transfer& transfer, const Activity& activity) noexcept
      : engine_(engine), transfer_(transfer), activity_(activity) {}

  [[nodiscard]] bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  /// Bytes transferred. Throws the transfer's or the communicator's failure, saying during what.
  std::size_t await_resume();

 protected:
  /// The same, but nothing if the peer has died and the activity goes on without it.
  std::optional<std::size_t> conclude();

 private:
  friend class Engine;
  void leave_queue() noexcept;
  [[nodiscard]] Casualty failed_transfer() const;

  Engine& engine_;
  Transfer& transfer_;
  const Activity& activity_;
  std::coroutine_handle<> waiter_;
  Clock::time_point since_;
  Wait* previous_ = nullptr;  // among all that wait
  Wait* next_ = nullptr;
  Wait* next_ready_ = nullptr;
  bool queued_ = false;
};

/// A Wait that the peer's death ends without a failure: `co_await` is the bytes transferred, or nothing.
class Outcome : public Wait {
 public:
  using Wait::Wait;
  std::optional<std::size_t> await_resume() { return conclude(); }
};

/// One send or receive at a time. Stays where it is. Ends on the driving thread, or with nothing under way.
class Flight {
 public:
  explicit Flight(Engine& engine) noexcept;
  ~Flight() { land(); }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  void send(int peer, std::uint64_t tag, Bytes data, Traffic& traffic);
  void receive(int peer, std::uint64_t tag, MutableBytes buffer, Traffic& traffic);
  /// `co_await flight.done(activity)` is the bytes received.
  [[nodiscard]] Wait done(const Activity& activity) noexcept { return Wait(engine_, transfer_, activity); }
  /// The same for those who can do without the peer.
  [[nodiscard]] Outcome outcome(const Activity& activity) noexcept { return {engine_, transfer_, activity}; }
  /// If not, done() is known at once.
  [[nodiscard]] bool under_way() const noexcept { return transfer_.state == Transfer::State::pending; }
  /// What became of it, and the bytes received, once it is no more.
  [[nodiscard]] Status status() const noexcept { return transfer_.status; }
  [[nodiscard]] std::size_t bytes() const noexcept { return transfer_.bytes; }
  /// Gives up on what is still under way: the buffer may be written until the endpoint is destroyed.
  void land() noexcept;

 private:
  Engine& engine_;
  Transfer transfer_;
};

/// Lets a coroutine wait for another one of this rank. One waiter at a time; on the driving thread.
class Signal {
 public:
  explicit Signal(Engine& engine) noexcept;
  /// Before `co_await signal.raised(activity)`, which then lasts until raise() or the communicator's failure.
  void expect() noexcept;
  void raise() noexcept;
  [[nodiscard]] Wait raised(const Activity& activity) noexcept { return Wait(engine_, transfer_, activity); }

 private:
  Engine& engine_;
  Transfer transfer_;  // of this rank's to itself, so that a wait that lasts too long is this rank's fault
};

/// What has to be answered between calls. On the driving thread.
class Attendant {
 public:
  virtual ~Attendant() = default;
  /// Does what there is to do at once; whether there was anything. Throws nothing.
  virtual bool attend() = 0;
};

/// Runs any number of jobs on one endpoint. At any time at most one thread drives it: a caller that waits, else the
/// progress thread if there is one. Jobs' coroutines run on the driving thread only.
class Engine {
 public:
  struct Options {
    int rank = 0;
    double timeout_seconds = 30;
    bool progress_thread = true;
    bool shares_host = true;  ///< some neighbour is on this host: its messages come within microseconds
    bool survives = false;    ///< goes on without ranks that die (on_failure=continue)
  };
  /// `endpoint` and `lifelines` (may be null) outlive the engine.
  Engine(Endpoint& endpoint, Lifelines* lifelines, const Options& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Hands over a job that runs `body`; it starts on the driving thread. Any thread; never blocks for long. `home` is
  /// the job's alone until the job's task is destroyed. `wait_follows`: the caller drives at once, nobody need be
  /// woken.
  void submit(Job& job, CoroutineHome& home, Task body, bool wait_follows);
  /// Drives (or watches another thread drive) until the job is done. Any thread.
  void wait(Job& job);
  /// Drives for one pass if nobody else does. Any thread; never blocks.
  void nudge();
  /// From now on, and until as many releases, messages come and go between calls, too, if there is a progress thread.
  void hold();
  void release() noexcept;
  /// From now on, and until dismissed, `attendant` is called whenever this is driven and has not failed. Driving thread
  /// only.
  void attend_to(Attendant& attendant) { attendants_.push_back(&attendant); }
  void dismiss(Attendant& attendant) { std::erase(attendants_, &attendant); }
  /// Drives without a job until `finished` or the deadline. For orderly ends.
  void linger(double seconds, bool (*finished)(void*), void* context);

  /// Fails the communicator: every pending and later job ends with this casualty, and the neighbours are told.
  /// Driving thread only.
  void fail_all(const Casualty& casualty);
  /// The failure, if any. Any thread.
  [[nodiscard]] std::optional<Casualty> failure() const;
  /// The dead without which this communicator goes on, in the order in which this rank heard of them. Any thread.
  [[nodiscard]] std::vector<Casualty> deaths() const;
  /// There are some. Any thread.
  [[nodiscard]] bool bereaved() const noexcept { return bereaved_.load(std::memory_order_acquire); }
  /// Driving thread only.
  [[nodiscard]] bool dead(int rank) const noexcept;
  /// Throws `peer` if the activity needs everybody, and somebody has died. Driving thread only.
  void expect_everybody(const Activity& activity) const;
  [[nodiscard]] int rank() const noexcept { return options_.rank; }
  [[nodiscard]] bool survives() const noexcept { return options_.survives; }
  [[nodiscard]] double timeout_seconds() const noexcept { return options_.timeout_seconds; }
  [[nodiscard]] Endpoint& endpoint() noexcept { return endpoint_; }

 private:
  friend class Wait;
  friend class Flight;
  friend class Signal;

  static Task run(CoroutineHome& home, Engine& engine, Job& job, Task body);
  static void on_transfer(Transfer& transfer) noexcept;
  [[nodiscard]] bool in_doubt(const Transfer& transfer) const noexcept;
  [[nodiscard]] bool hopeless(const Wait& wait) const noexcept;
  void hear_of(const Casualty& casualty);
  void bury(const Casualty& casualty);
  void make_ready(Wait& wait) noexcept;
  bool turn();
  bool start_submitted();
  bool resume_ready();
  bool publish_finished();
  template <typename Predicate>
  void drive(Predicate&& finished);
  /// How long the driver has had nothing to do.
  struct Idleness {
    unsigned turns = 0;
    std::optional<Clock::time_point> yielded;  // when the turn before gave the core away
  };
  void idle(Idleness& idleness);
  void sleep();
  void look_around(Clock::time_point now);
  void check_deadlines(Clock::time_point now);
  void settle_doubts(Clock::time_point now);
  void call_roll(const Wait* overdue, Clock::time_point now);
  void blame(const Wait& wait, Clock::time_point now);
  void take_seat();
  void leave_seat();
  void wake() noexcept;
  void progress_loop();

  Endpoint& endpoint_;
  Lifelines* lifelines_;
  Options options_;

  mutable std::mutex mutex_;
  std::condition_variable seat_free_;   // callers that wait for the seat or for their job
  std::condition_variable work_there_;  // the progress thread
  bool seat_taken_ = false;
  int callers_ = 0;  // waiting callers, the driving one included
  std::atomic<bool> stopping_{false};
  Job* submitted_ = nullptr;  // newest first
  std::optional<Casualty> failure_;
  std::vector<Casualty> deaths_;  // written by the driving thread, which so may read it without the lock

  std::atomic<bool> any_submitted_{false};
  std::atomic<bool> callers_waiting_{false};
  std::atomic<bool> sleeping_{false};
  std::atomic<int> active_jobs_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> bereaved_{false};

  // The driving thread's own.
  Wait* waiting_ = nullptr;
  Wait* ready_first_ = nullptr;
  Wait* ready_last_ = nullptr;
  Job* finished_ = nullptr;
  std::vector<Attendant*> attendants_;
  Clock::time_point last_look_{};
  Clock::time_point crowded_until_{};
  Clock::time_point last_driven_{};
  std::optional<Clock::time_point> roll_called_;  // when this rank said that it is in a call
  Clock::time_point patience_from_{};             // time before it was not driven and counts for no timeout

  int epoll_ = -1;
  int wake_event_ = -1;
  std::thread progress_;
};

}  // namespace gossamer
