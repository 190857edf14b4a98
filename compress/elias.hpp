#pragma once

#include <cstddef>
#include <cstdint>

#include "compress/bit_stream.hpp"

/// Integers that are mostly 0, as gamma codes (Elias, "Universal codeword sets and representations of the integers",
/// IEEE Trans. Inf. Theory 21, 1975), the way QSGD writes its levels. For each that is not 0: one more than the zeros
/// before it, its sign (a one is minus), its magnitude; unless that is the last integer, one more than the zeros that
/// follow. The code of n is L zeros, a one and the L lower bits of n, L = floor(log2 n); low bits first.
///
/// The sum of two strings of integers is never longer than both together: a common place saves a gap and a sign, which
/// is more than a sum of magnitudes may need, and so does a place where two cancel.
namespace gossamer::elias {

/// More integers than this have gaps whose codes a reader does not see at a glance.
constexpr std::size_t kMaxCount = (std::size_t{1} << 28) - 1;

/// How many integers are not 0, and the sum of their magnitudes.
struct Tally {
  std::uint64_t nonzero = 0;
  std::uint64_t magnitudes = 0;
};

/// No `count` integers of this tally take more bytes: codes grow with the logarithm, so that they are longest when all
/// gaps and all magnitudes are alike.
std::size_t max_bytes(std::size_t count, const Tally& tally) noexcept;

/// Expected bytes of `count` integers of which each is not 0 with probability `share`, and then of this magnitude.
std::size_t expected_bytes(std::size_t count, double share, double magnitude = 1.0) noexcept;

/// Up to 64 bits.
struct Code {
  std::uint64_t bits = 0;
  unsigned count = 0;
};

/// Writes integers that are not 0, by ascending position, into memory that is known to be large enough.
class Writer {
 public:
  explicit Writer(MutableBytes out) noexcept : begin_(out.data()), bits_(out) {}
  void put(std::size_t position, std::int32_t value) noexcept;
  /// Of `count` integers, those not put being 0. Returns the bytes that it took.
  std::size_t finish(std::size_t count) noexcept;

 private:
  void put_code(Code code) noexcept;

  const std::byte* begin_;
  BitWriter bits_;
  std::size_t next_ = 0;  ///< the first position that may follow
};

/// Reads bytes nobody vouches for. At any time it stands at an integer that is not 0, or behind the last.
class Reader {
 public:
  /// Of `count` integers, up to kMaxCount, none below least or above greatest. Throws `corrupt`, as next() does.
  struct Range {
    std::int64_t least = 0;
    std::int64_t greatest = 0;
  };
  Reader(Bytes in, std::size_t count, const Range& range) : bits_(in), count_(count), range_(range) { next(); }

  /// `count` behind the last.
  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] std::int32_t value() const noexcept { return value_; }
  void next();

 private:
  BitReader bits_;
  std::size_t count_;
  Range range_;
  std::size_t next_ = 0;
  std::size_t position_ = 0;
  std::int32_t value_ = 0;
};

}  // namespace gossamer::elias
