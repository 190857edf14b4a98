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

}  // namespace gossamer
