#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "lib/base/bytes.hpp"

namespace gossamer {

/// Bytes on cache-line boundaries, owned; uninitialised.
class Buffer {
 public:
  static constexpr std::size_t kAlignment = 64;

  Buffer() = default;
  explicit Buffer(std::size_t bytes) { resize(bytes); }

  /// New memory; what was there is gone.
  void resize(std::size_t bytes) {
    memory_.reset(static_cast<std::byte*>(::operator new (bytes == 0 ? 1 : bytes, std::align_val_t{kAlignment})));
    size_ = bytes;
  }
  [[nodiscard]] MutableBytes bytes() const noexcept { return {memory_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { ::operator delete (memory, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_ = 0;
};

/// Memory that is handed out in pieces on cache lines, and again from the start to another user: they take turns.
class Slots {
 public:
  /// What a piece of so many bytes takes.
  static constexpr std::size_t room_for(std::size_t bytes) noexcept {
    return (bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
  }

  explicit Slots(std::size_t bytes) : memory_(bytes) {}

  void restart() noexcept { used_ = 0; }
  MutableBytes take(std::size_t bytes) {
    if (room_for(bytes) > memory_.bytes().size() - used_) fail(Status::internal, "more slots are taken than planned");
    const MutableBytes piece = memory_.bytes().subspan(used_, bytes);
    used_ += room_for(bytes);
    return piece;
  }
  [[nodiscard]] std::size_t size() const noexcept { return memory_.bytes().size(); }

 private:
  Buffer memory_;
  std::size_t used_ = 0;
};

}  // namespace gossamer
