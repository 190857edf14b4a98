#include "compress/elias.hpp"

#include <bit>
#include <cmath>

namespace gossamer::elias {
namespace {

constexpr unsigned kMaxLow = 28;  ///< lower bits of a gamma code: all 57 of them are in one look

/// A gamma code at the low end of `word`.
struct Gamma {
  std::uint64_t value;
  unsigned bits;

  explicit Gamma(std::uint64_t word) {
    const auto low = static_cast<unsigned>(std::countr_zero(word));
    if (low > kMaxLow) fail(Status::corrupt, "payload has a code of more than ", kMaxLow, " zeros");
    const std::uint64_t one = std::uint64_t{1} << low;
    value = one | (word >> low >> 1 & (one - 1));
    bits = 2 * low + 1;
  }
};

Code gamma_of(std::uint64_t value) noexcept {
  const auto low = static_cast<unsigned>(std::bit_width(value)) - 1;
  const std::uint64_t one = std::uint64_t{1} << low;
  return {one | (value ^ one) << (low + 1), 2 * low + 1};
}

}  // namespace

std::size_t max_bytes(std::size_t count, const Tally& tally) noexcept {
  const auto codes = static_cast<double>(tally.nonzero);
  const double gaps = codes + 1;
  double bits = gaps * (1 + 2 * std::log2((static_cast<double>(count) + 1) / gaps));
  if (codes > 0) bits += codes * (2 + 2 * std::log2(static_cast<double>(tally.magnitudes) / codes));
  return static_cast<std::size_t>(bits / 8) + 2;  // one for what float arithmetic may lose
}

std::size_t expected_bytes(std::size_t count, double share, double magnitude) noexcept {
  // A gap and its integer are 2^k or longer, which takes two bits more, if the first 2^k - 1 integers are 0.
  double bits = 3 + 2 * std::log2(magnitude);
  for (double length = 1; length <= static_cast<double>(count); length = 2 * length + 1) {
    bits += 2 * std::pow(1 - share, length);
  }
  return static_cast<std::size_t>(bits * share * static_cast<double>(count) / 8) + 4;
}

void Writer::put_code(Code code) noexcept {
  constexpr unsigned kAtOnce = 32;
  if (code.count > kAtOnce) {
    bits_.put(code.bits & 0xffffffff, kAtOnce);
    code = {code.bits >> kAtOnce, code.count - kAtOnce};
  }
  bits_.put(code.bits, code.count);
}

void Writer::put(std::size_t position, std::int32_t value) noexcept {
  Code code = gamma_of(position - next_ + 1);
  code.bits |= std::uint64_t{value < 0} << code.count++;
  const Code magnitude = gamma_of(static_cast<std::uint64_t>(value < 0 ? -std::int64_t{value} : value));
  if (code.count + magnitude.count <= 64) {
    put_code({code.bits | magnitude.bits << code.count, code.count + magnitude.count});
  } else {
    put_code(code);
    put_code(magnitude);
  }
  next_ = position + 1;
}

std::size_t Writer::finish(std::size_t count) noexcept {
  if (next_ != count) put_code(gamma_of(count - next_ + 1));
  return static_cast<std::size_t>(bits_.finish() - begin_);
}

void Reader::next() {
  position_ = count_;
  if (next_ == count_) return bits_.expect_end();
  const std::uint64_t word = bits_.peek();
  const Gamma gap(word);
  if (gap.value > count_ - next_ + 1) {
    fail(Status::corrupt, "payload has a run of ", gap.value - 1, " zeros where ", count_ - next_, " values are left");
  }
  position_ = next_ + static_cast<std::size_t>(gap.value) - 1;
  if (position_ == count_) {
    bits_.skip(gap.bits);
    return bits_.expect_end();
  }
  next_ = position_ + 1;
  const std::uint64_t rest = word >> gap.bits;
  bits_.skip(gap.bits + 1);
  // Behind a gap below 2^16, 25 bits have been seen at least, which hold any magnitude below 2^12.
  const bool seen = gap.bits < 32 && (rest >> 1 & 0xfff) != 0;
  const Gamma magnitude(seen ? rest >> 1 : bits_.peek());
  bits_.skip(magnitude.bits);
  const auto value = static_cast<std::int64_t>((rest & 1) != 0 ? 0 - magnitude.value : magnitude.value);
  if (value < range_.least || value > range_.greatest) {
    fail(Status::corrupt, "payload has a sum of ", value, "; sums from ", range_.least, " to ", range_.greatest,
         " are possible");
  }
  value_ = static_cast<std::int32_t>(value);
}

}  // namespace gossamer::elias
