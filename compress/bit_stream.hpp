#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lib/base/bytes.hpp"

namespace gossamer {

/// Writes codes of up to 32 bits, low bits first, into memory sized for all of them.
class BitWriter {
 public:
  explicit BitWriter(MutableBytes out) noexcept : out_(out.data()) {}

  void put(std::uint64_t bits, unsigned count) noexcept {
    waiting_ |= bits << filled_;
    filled_ += count;
    if (filled_ < 32) return;
    std::memcpy(out_, &waiting_, 4);
    out_ += 4;
    waiting_ >>= 32;
    filled_ -= 32;
  }
  /// Writes what is left; the last byte is filled up with zeros. Returns the end of what was written.
  std::byte* finish() noexcept {
    const std::size_t bytes = (filled_ + 7) / 8;
    if (bytes > 0) std::memcpy(out_, &waiting_, bytes);
    return out_ + bytes;
  }

 private:
  std::byte* out_;
  std::uint64_t waiting_ = 0;
  unsigned filled_ = 0;  ///< below 32 between calls
};

/// Reads bits at any position of memory nobody vouches for. Behind the end there are zeros without limit, so that
/// readers need to compare position() with the end only now and then.
class BitReader {
 public:
  static constexpr unsigned kPeekBits = 57;  ///< how many bits of peek() are valid at least

  explicit BitReader(Bytes in) noexcept : in_(in), last_word_(in.size() < 8 ? 0 : in.size() - 7) {}

  [[nodiscard]] std::uint64_t peek() const noexcept {
    const std::size_t at = position_ / 8;
    std::uint64_t word = 0;
    if (at < last_word_) {
      std::memcpy(&word, in_.data() + at, 8);
    } else if (at < in_.size()) {
      std::memcpy(&word, in_.data() + at, in_.size() - at);
    }
    return word >> (position_ % 8);
  }
  void skip(unsigned bits) noexcept { position_ += bits; }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] bool overran() const noexcept { return position_ > 8 * in_.size(); }
  /// Throws `corrupt` unless exactly the last byte has been reached.
  void expect_end() const {
    if ((position_ + 7) / 8 != in_.size()) {
      fail(Status::corrupt, "payload has ", in_.size(), " bytes of codes, of which ", (position_ + 7) / 8, " are used");
    }
  }

 private:
  Bytes in_;
  std::size_t last_word_;  ///< where whole words stop fitting
  std::size_t position_ = 0;
};

}  // namespace gossamer
