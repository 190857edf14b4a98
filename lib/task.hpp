#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace gossamer {

/// Recycles coroutine frames, so that a call that ran before allocates nothing. One thread at a time; must outlive its
/// frames.
class FramePool {
 public:
  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool();

  void* allocate(std::size_t bytes);
  static void release(void* frame, std::size_t bytes) noexcept;

 private:
  static constexpr std::size_t kGranule = 128;  // frames are recycled by size class
  static constexpr std::size_t kClasses = 16;
  struct Header {
    FramePool* pool;
    Header* next;
  };
  static std::size_t class_of(std::size_t bytes) noexcept { return bytes / kGranule; }
  std::array<Header*, kClasses> free_{};
};

/// Anything that owns a frame pool; the first argument of every coroutine.
struct CoroutineHome {
  FramePool frames;
};

/// A coroutine that starts when awaited (or by start()) and resumes its awaiter when it ends. Move-only; destroying it
/// destroys the frame. The first argument of the coroutine function must be a `CoroutineHome&`.
class [[nodiscard]] Task {
 public:
  struct promise_type {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    std::exception_ptr error;

    template <typename Home, typename... Rest>
    static void* operator new(std::size_t bytes, Home& home, Rest&...) {
      return static_cast<CoroutineHome&>(home).frames.allocate(bytes);
    }
    static void operator delete(void* frame, std::size_t bytes) noexcept { FramePool::release(frame, bytes); }

    Task get_return_object() noexcept { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct FinalAwaiter {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        return self.promise().continuation;
      }
      void await_resume() noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { error = std::current_exception(); }
  };

  Task() noexcept = default;
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    frame_.promise().continuation = awaiter;
    return frame_;
  }
  void await_resume() const {
    if (frame_.promise().error) std::rethrow_exception(frame_.promise().error);
  }

  /// Runs until the first suspension; for tasks that go on side by side.
  void start() { frame_.resume(); }
  /// `co_await task.joined()` waits for a started task and rethrows its error.
  [[nodiscard]] auto joined() noexcept {
    struct Join {
      std::coroutine_handle<promise_type> task;
      bool await_ready() const noexcept { return task.done(); }
      void await_suspend(std::coroutine_handle<> awaiter) const noexcept { task.promise().continuation = awaiter; }
      void await_resume() const {
        if (task.promise().error) std::rethrow_exception(task.promise().error);
      }
    };
    return Join{frame_};
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

}  // namespace gossamer
