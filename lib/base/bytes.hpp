#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "lib/base/error.hpp"

namespace gossamer {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

/// Writes plain values one after another into memory the caller owns; running past the end throws `internal`.
class ByteWriter {
 public:
  explicit ByteWriter(MutableBytes out) noexcept : out_(out) {}

  template <typename T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(take(sizeof(T)).data(), &value, sizeof(T));
  }
  void put_bytes(Bytes bytes) {
    MutableBytes place = take(bytes.size());
    if (!bytes.empty()) std::memcpy(place.data(), bytes.data(), bytes.size());
  }
  /// The next `count` bytes, to be filled by the caller.
  MutableBytes take(std::size_t count) {
    if (count > out_.size() - used_)
      fail(Status::internal, "slot of ", out_.size(), " bytes is too small for a payload");
    MutableBytes place = out_.subspan(used_, count);
    used_ += count;
    return place;
  }
  /// What take() has not given out yet: for codes whose size is known only once they are there.
  [[nodiscard]] MutableBytes room() const noexcept { return out_.subspan(used_); }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }
  [[nodiscard]] Bytes written() const noexcept { return out_.first(used_); }

 private:
  MutableBytes out_;
  std::size_t used_ = 0;
};

/// Reads plain values from bytes nobody vouches for; running past the end throws `corrupt`.
class ByteReader {
 public:
  explicit ByteReader(Bytes in) noexcept : in_(in) {}

  template <typename T>
  T get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  Bytes take(std::size_t count) {
    if (count > remaining()) {
      fail(Status::corrupt, "payload of ", in_.size(), " bytes ends ", count - remaining(), " bytes early");
    }
    Bytes bytes = in_.subspan(used_, count);
    used_ += count;
    return bytes;
  }
  [[nodiscard]] std::size_t remaining() const noexcept { return in_.size() - used_; }
  /// Throws `corrupt` when bytes are left over.
  void expect_end() const {
    if (remaining() != 0) fail(Status::corrupt, "payload of ", in_.size(), " bytes has ", remaining(), " too many");
  }

 private:
  Bytes in_;
  std::size_t used_ = 0;
};

}  // namespace gossamer
