#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lib/base/bytes.hpp"

/// Bytes of base-3 digits with runs of "five zeros" shortened: 2 to 14 bytes of kZeros become one byte from kRun up.
namespace gossamer::zero_runs {

constexpr std::uint8_t kZeros = 121;    ///< five digits 1, which stand for 0
constexpr std::uint8_t kLargest = 242;  ///< of five digits
constexpr std::uint8_t kRun = 243;      ///< a run of two
constexpr std::size_t kLongest = 14;    ///< 255

/// Writes to memory that has room for as many bytes as are put in.
class Writer {
 public:
  explicit Writer(std::byte* out) noexcept : begin_(out), out_(out) {}

  void put(Bytes bytes) noexcept {
    std::size_t i = 0;
    for (; i + sizeof(kEight) <= bytes.size(); i += sizeof(kEight)) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, bytes.data() + i, sizeof(eight));
      if (eight == kEight) {
        run_ += sizeof(kEight);
        if (run_ >= kLongest) put_run(kLongest);
      } else {
        for (std::size_t j = i; j < i + sizeof(kEight); ++j) put_byte(bytes[j]);
      }
    }
    for (; i < bytes.size(); ++i) put_byte(bytes[i]);
  }
  /// Ends a run; how many bytes there are in all.
  std::size_t finish() noexcept {
    if (run_ != 0) put_run(run_);
    return static_cast<std::size_t>(out_ - begin_);
  }

 private:
  static constexpr std::uint64_t kEight = kZeros * std::uint64_t{0x0101010101010101};

  void put_byte(std::byte byte) noexcept {
    if (byte == std::byte{kZeros}) {
      if (++run_ == kLongest) put_run(kLongest);
      return;
    }
    if (run_ != 0) put_run(run_);
    *out_++ = byte;
  }
  void put_run(std::size_t length) noexcept {
    *out_++ = length == 1 ? std::byte{kZeros} : static_cast<std::byte>(kRun + length - 2);
    run_ -= length;
  }

  std::byte* begin_;
  std::byte* out_;
  std::size_t run_ = 0;  ///< below kLongest between bytes
};

/// Reads bytes nobody vouches for.
class Reader {
 public:
  explicit Reader(Bytes in) noexcept : in_(in) {}

  /// The next out.size() bytes, all of them digits; false when there are not as many.
  bool get(MutableBytes out) noexcept {
    for (std::size_t i = 0; i < out.size();) {
      if (run_ != 0) {
        const std::size_t length = run_ < out.size() - i ? run_ : out.size() - i;
        std::memset(out.data() + i, kZeros, length);
        i += length;
        run_ -= length;
        continue;
      }
      if (used_ == in_.size()) return false;
      const auto byte = static_cast<std::uint8_t>(in_[used_++]);
      if (byte > kLargest) {
        run_ = static_cast<std::size_t>(byte) - kRun + 2;
      } else {
        out[i++] = std::byte{byte};
      }
    }
    return true;
  }
  [[nodiscard]] bool at_end() const noexcept { return run_ == 0 && used_ == in_.size(); }

 private:
  Bytes in_;
  std::size_t used_ = 0;
  std::size_t run_ = 0;
};

}  // namespace gossamer::zero_runs
