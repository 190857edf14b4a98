#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "compress/bit_planes.hpp"
#include "compress/ternary.hpp"
#include "lib/base/bytes.hpp"

/// Payloads of integer sums: codes of one rank or sums of several, under units that all ranks share. Layout:
///
///     u64 count, u64 offset of the first value in the tensor, u16 contributions t, u16 form, tag, units, body
///
/// `tag` is what a codec adds; one float of `units` belongs to each block that the values touch. The body is bit planes
/// (bit_planes.hpp) of the sums of digits, as wide as t · top needs, or base-3 digits if t = 1. Where most codes are 0
/// it may be a string of Elias codes (elias.hpp) of what the sums stand for, whatever t is.
namespace gossamer::integer {

constexpr unsigned kMaxContributions = 65535;
constexpr std::size_t kGroup = ternary::kGroup;  ///< values that are worked on at a time

/// How codes add: a code is a digit 0 … top; the sum v of t digits stands for (step · v − t · bias) · unit.
struct Lattice {
  unsigned top = 2;  ///< up to 256
  unsigned bias = 1;
  unsigned step = 1;
};

enum class Form : std::uint16_t { planes, base3, elias };

/// What all payloads of one codec have in common.
struct Format {
  std::string_view codec;  ///< for error sentences
  Lattice lattice;
  std::size_t block = 0;  ///< values that share a unit, counted from the tensor's start; 0: all
  std::size_t tag_bytes = 0;
  Form single = Form::planes;  ///< of one contribution
  bool padded = false;         ///< values that share a unit are as many digits as the next power of two
  /// Elias codes are written if they take no more than this share of the planes' bytes: 0 never; needs planes and a
  /// step of 1.
  double elias = 0.0;
  double mean = 0.0;  ///< of what the codes of one contribution usually are in size; predicts how long they are
};

/// Values of a chunk that share a unit.
struct Run {
  std::size_t unit = 0;   ///< index among the chunk's units
  std::size_t first = 0;  ///< in the chunk
  std::size_t count = 0;
};

template <typename Action>
void for_each_run(const Format& format, std::uint64_t offset, std::size_t count, const Action& action) {
  Run run{0, 0, count};
  for (; run.first < count; ++run.unit, run.first += run.count) {
    const std::size_t left = count - run.first;
    run.count = format.block == 0 ? left : std::min(left, format.block - (offset + run.first) % format.block);
    action(run);
  }
}

/// Bits of a sum of so many digits.
unsigned width_of(const Format& format, unsigned contributions) noexcept;
/// Whether Elias codes of so many bytes are short enough to be written instead of planes.
bool elias_pays(const Format& format, std::size_t bytes, std::size_t digits, unsigned contributions) noexcept;

/// Digits of `count` values.
std::size_t digit_count(const Format& format, std::uint64_t offset, std::size_t count) noexcept;

/// Bytes that the payload of `count` values usually has; the most it may have, of any offset and any number of
/// contributions.
std::size_t typical_payload_bytes(const Format& format, std::size_t count, unsigned contributions) noexcept;
std::size_t max_payload_bytes(const Format& format, std::size_t count) noexcept;

/// A payload, checked.
struct Payload {
  std::uint64_t offset = 0;
  std::size_t digits = 0;
  unsigned contributions = 0;
  Form form = Form::planes;
  Bytes common;  ///< tag and units: equal in all payloads that may be added
  Bytes units;
  Bytes body;

  /// Throws `corrupt` unless `bytes` can be a payload of `count` values.
  static Payload parse(const Format& format, Bytes bytes, std::size_t count);
  [[nodiscard]] float unit(std::size_t index) const noexcept;
};

/// Writes what precedes the units.
void put_header(ByteWriter& writer, std::size_t count, std::uint64_t offset, unsigned contributions, Form form);

/// Takes the digits of one contribution in order and writes them as the format wants.
class DigitWriter {
 public:
  DigitWriter(const Format& format, std::size_t digits, ByteWriter& writer) noexcept
      : format_(format), digits_count_(digits), left_(digits), writer_(writer) {}
  /// Room for the next digits, `wanted` or fewer: what is left of kRoom.
  std::span<std::uint8_t> next(std::size_t wanted);
  /// The room that next() gave is filled.
  void commit();
  /// All digits are there. The payload that starts at the beginning of `slot`, which the writer writes into.
  Bytes finish(MutableBytes slot) const;

 private:
  static constexpr std::size_t kRoom = 4 * kGroup;  ///< digits that are kept until they are written

  void write_planes();
  void write_base3();

  const Format& format_;
  std::size_t digits_count_;
  std::size_t left_;  ///< digits that are not written yet
  ByteWriter& writer_;
  elias::Tally tally_;
  std::size_t used_ = 0;
  std::array<std::uint8_t, kRoom + planes::kWord> digits_{};
};

/// The codes of a payload in Elias form; none of another.
elias::Reader read_codes(const Format& format, const Payload& payload);

/// Hands out the planes of a payload, group by group. Throws `corrupt`.
class PlaneReader {
 public:
  PlaneReader(const Format& format, const Payload& payload);
  [[nodiscard]] unsigned width() const noexcept { return width_; }
  /// Digits of the next group; 0 after the last.
  [[nodiscard]] std::size_t group() const noexcept { return std::min(kGroup, left_); }
  /// The planes of the next group.
  const std::byte* next();
  /// The same as codes, of a payload in Elias form; `codes` has group() places.
  void next_codes(std::span<float> codes);

 private:
  const std::byte* digits_to_planes(std::size_t count);
  const std::byte* codes_to_planes(std::size_t count);

  const Format& format_;
  const Payload& payload_;
  std::size_t left_;
  std::size_t used_ = 0;  ///< bytes of the body
  unsigned width_;
  elias::Reader codes_;
  std::array<std::uint64_t, planes::words_of(kGroup) * planes::kMaxWidth> planes_{};
};

/// Hands out what the sums of a payload mean, in units.
class SumReader {
 public:
  SumReader(const Format& format, const Payload& payload);
  /// The next `wanted` sums or fewer: what is left of a group. Throws `corrupt`.
  std::span<const float> next(std::size_t wanted);
  /// Exactly out.size() sums.
  void read(std::span<float> out);

 private:
  const Format& format_;
  const Payload& payload_;
  PlaneReader planes_;
  planes::Meaning meaning_;
  std::array<float, kGroup> sums_{};
  std::span<const float> ready_;
};

/// a ⊕ b into `slot`. Throws `corrupt` for payloads that do not belong together.
Bytes merge(const Format& format, Bytes a, Bytes b, std::size_t count, MutableBytes slot);

}  // namespace gossamer::integer
