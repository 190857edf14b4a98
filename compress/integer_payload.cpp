#include "compress/integer_payload.hpp"

#include <bit>
#include <cmath>
#include <limits>

namespace gossamer::integer {
namespace {

constexpr std::size_t kHeader = 2 * sizeof(std::uint64_t) + 2 * sizeof(std::uint16_t);

unsigned width_of(const Format& format, unsigned contributions) noexcept {
  return planes::width_of(std::uint64_t{contributions} * format.lattice.top);
}

Form form_of(const Format& format, unsigned contributions) noexcept {
  return contributions == 1 ? format.single : Form::planes;
}

std::size_t body_bytes(const Format& format, std::size_t count, unsigned contributions) noexcept {
  return form_of(format, contributions) == Form::base3 ? ternary::trit_bytes(count)
                                                       : planes::bytes_of(count, width_of(format, contributions));
}

std::size_t unit_count(const Format& format, std::uint64_t offset, std::size_t count) noexcept {
  if (format.block == 0) return 1;
  return count == 0 ? 0 : (offset % format.block + count - 1) / format.block + 1;
}

std::size_t head_bytes(const Format& format, std::uint64_t offset, std::size_t count) noexcept {
  return kHeader + format.tag_bytes + unit_count(format, offset, count) * sizeof(float);
}

void check_units(const Format& format, const Payload& payload) {
  for (std::size_t i = 0; i < payload.units.size() / sizeof(float); ++i) {
    const float unit = payload.unit(i);
    if (!std::isfinite(unit) || std::signbit(unit)) {
      fail(Status::corrupt, format.codec, " payload has a scale of ", unit);
    }
  }
}

}  // namespace

std::size_t digit_count(const Format& format, std::uint64_t offset, std::size_t count) noexcept {
  if (!format.padded || count == 0) return count;
  const std::size_t first = std::min<std::size_t>(count, format.block - offset % format.block);
  const std::size_t whole = (count - first) / format.block * format.block;
  const std::size_t last = count - first - whole;
  return std::bit_ceil(first) + whole + (last == 0 ? 0 : std::bit_ceil(last));
}

std::size_t payload_bytes(const Format& format, std::size_t count, unsigned contributions) noexcept {
  return head_bytes(format, 0, count) +
         body_bytes(format, digit_count(format, 0, count), std::clamp(contributions, 1U, kMaxContributions));
}

std::size_t max_payload_bytes(const Format& format, std::size_t count) noexcept {
  // A chunk touches the most blocks if it starts with the last value of one; no block but the first and the last is
  // filled up, and neither by as many digits as it has values, or as half a block.
  const std::size_t offset = format.block == 0 ? 0 : format.block - 1;
  const std::size_t digits = count + (format.padded ? std::min(count, format.block) : 0);
  return head_bytes(format, offset, count) +
         std::max(body_bytes(format, digits, 1), body_bytes(format, digits, kMaxContributions));
}

Payload Payload::parse(const Format& format, Bytes bytes, std::size_t count) {
  ByteReader reader(bytes);
  const auto claimed = reader.get<std::uint64_t>();
  if (claimed != count) {
    fail(Status::corrupt, format.codec, " payload is of ", claimed, " values; ", count, " were expected");
  }
  Payload payload;
  payload.offset = reader.get<std::uint64_t>();
  if (payload.offset > std::numeric_limits<std::uint64_t>::max() - count) {
    fail(Status::corrupt, format.codec, " payload starts at element ", payload.offset);
  }
  payload.contributions = reader.get<std::uint16_t>();
  if (payload.contributions == 0) {
    fail(Status::corrupt, format.codec, " payload has 0 contributions; 1 to ", kMaxContributions, " are possible");
  }
  const auto form = reader.get<std::uint16_t>();
  payload.form = form_of(format, payload.contributions);
  if (form != static_cast<std::uint16_t>(payload.form)) {
    fail(Status::corrupt, format.codec, " payload of ", payload.contributions, " contributions is of form ", form);
  }
  const std::size_t units = unit_count(format, payload.offset, count) * sizeof(float);
  payload.common = reader.take(format.tag_bytes + units);
  payload.units = payload.common.subspan(format.tag_bytes);
  check_units(format, payload);
  payload.digits = digit_count(format, payload.offset, count);
  payload.body = reader.take(body_bytes(format, payload.digits, payload.contributions));
  reader.expect_end();
  return payload;
}

float Payload::unit(std::size_t index) const noexcept {
  float unit = 0.0F;
  std::memcpy(&unit, units.data() + index * sizeof(float), sizeof(float));
  return unit;
}

void put_header(ByteWriter& writer, std::size_t count, std::uint64_t offset, unsigned contributions, Form form) {
  writer.put(std::uint64_t{count});
  writer.put(offset);
  writer.put(static_cast<std::uint16_t>(contributions));
  writer.put(form);
}

std::span<std::uint8_t> DigitWriter::next(std::size_t wanted) {
  const std::size_t group = std::min(kGroup, left_);
  const std::size_t count = std::min(wanted, group - used_);
  const std::span<std::uint8_t> room = std::span(digits_).subspan(used_, count);
  used_ += count;
  return room;
}

void DigitWriter::commit() {
  const std::size_t group = std::min(kGroup, left_);
  if (used_ < group) return;
  if (format_.single == Form::base3) {
    // Digits that are not there stand for zero.
    std::fill_n(digits_.begin() + static_cast<std::ptrdiff_t>(used_), 4, std::uint8_t{1});
    ternary::pack(digits_.data(), writer_.take(ternary::trit_bytes(used_)));
  } else {
    std::fill_n(digits_.begin() + static_cast<std::ptrdiff_t>(used_), planes::kWord, std::uint8_t{0});
    const unsigned width = width_of(format_, 1);
    const std::size_t words = planes::words_of(used_);
    planes::pack(std::span(digits_).first(words * planes::kWord), width,
                 writer_.take(planes::bytes_of(used_, width)).data());
  }
  left_ -= used_;
  used_ = 0;
}

PlaneReader::PlaneReader(const Format& format, const Payload& payload) noexcept
    : format_(format), payload_(payload), left_(payload.digits), width_(width_of(format, payload.contributions)) {}

const std::byte* PlaneReader::next() {
  const std::size_t count = group();
  left_ -= count;
  if (payload_.form == Form::base3) return digits_to_planes(count);
  const std::byte* planes = payload_.body.data() + used_;
  used_ += planes::bytes_of(count, width_);
  return planes;
}

const std::byte* PlaneReader::digits_to_planes(std::size_t count) {
  std::array<std::uint8_t, kGroup + planes::kWord> digits{};
  const Bytes trits = payload_.body.subspan(used_, ternary::trit_bytes(count));
  used_ += trits.size();
  if (!ternary::unpack(trits, digits.data())) {
    fail(Status::corrupt, format_.codec, " payload has a byte beyond 242, the largest of five base-3 digits");
  }
  planes::pack(std::span(digits).first(planes::words_of(count) * planes::kWord), width_, planes_.data());
  return planes_.data();
}

SumReader::SumReader(const Format& format, const Payload& payload) noexcept
    : format_(format),
      payload_(payload),
      planes_(format, payload),
      meaning_{planes_.width(), format.lattice.step,
               static_cast<std::int32_t>(payload.contributions * format.lattice.bias),
               static_cast<std::int32_t>(payload.contributions * format.lattice.top)} {}

std::span<const float> SumReader::next(std::size_t wanted) {
  if (ready_.empty()) {
    const std::size_t count = planes_.group();
    const std::span<float> sums = std::span(sums_).first(planes::words_of(count) * planes::kWord);
    if (!planes::unpack(planes_.next(), meaning_, sums)) {
      fail(Status::corrupt, format_.codec, " payload has a sum beyond its ", payload_.contributions, " contributions");
    }
    ready_ = std::span(sums_).first(count);
  }
  const std::span<const float> sums = ready_.first(std::min(wanted, ready_.size()));
  ready_ = ready_.subspan(sums.size());
  return sums;
}

void SumReader::read(std::span<float> out) {
  while (!out.empty()) {
    const std::span<const float> sums = next(out.size());
    std::copy(sums.begin(), sums.end(), out.begin());
    out = out.subspan(sums.size());
  }
}

Bytes merge(const Format& format, Bytes a, Bytes b, std::size_t count, MutableBytes slot) {
  const Payload left = Payload::parse(format, a, count);
  const Payload right = Payload::parse(format, b, count);
  if (left.offset != right.offset || !std::ranges::equal(left.common, right.common)) {
    fail(Status::corrupt, format.codec, " payloads to be added have different scales or places");
  }
  const unsigned contributions = left.contributions + right.contributions;
  if (contributions > kMaxContributions) {
    fail(Status::corrupt, format.codec, " payloads sum to ", contributions, " contributions; ", kMaxContributions,
         " are possible");
  }
  ByteWriter writer(slot);
  put_header(writer, count, left.offset, contributions, Form::planes);
  writer.put_bytes(left.common);
  const unsigned width = width_of(format, contributions);
  PlaneReader lefts(format, left);
  PlaneReader rights(format, right);
  while (const std::size_t group = lefts.group()) {
    std::byte* sum = writer.take(planes::bytes_of(group, width)).data();
    const planes::Operand x{lefts.next(), lefts.width()};
    const planes::Operand y{rights.next(), rights.width()};
    if (!planes::add(x, y, planes::words_of(group), width, sum)) {
      fail(Status::corrupt, format.codec, " payload has a sum beyond its contributions");
    }
  }
  return writer.written();
}

}  // namespace gossamer::integer
