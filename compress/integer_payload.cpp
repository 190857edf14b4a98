#include "compress/integer_payload.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace gossamer::integer {
namespace {

constexpr std::size_t kFormAt = 2 * sizeof(std::uint64_t) + sizeof(std::uint16_t);
constexpr std::size_t kHeader = kFormAt + sizeof(Form);

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

/// Bytes of Elias codes, as if codes were normally distributed: sums of t are sqrt(t) times as large.
std::size_t expected_codes(const Format& format, std::size_t digits, unsigned contributions) noexcept {
  const double share = 1 - std::pow(1 - std::min(1.0, format.mean), contributions);
  const double variance = format.mean * std::max(1.0, std::numbers::pi / 2 * format.mean);
  const double size = std::sqrt(2 / std::numbers::pi * contributions * variance);
  return elias::expected_bytes(digits, share, std::max(1.0, size));
}

/// Whether so many contributions are still expected in Elias form: one is, and all but one and one are short enough.
bool stays_sparse(const Format& format, std::size_t digits, unsigned contributions) noexcept {
  const std::size_t one = expected_codes(format, digits, 1);
  if (format.elias == 0.0 || !elias_pays(format, one, digits, 1)) return false;
  const std::size_t others = contributions == 1 ? 0 : expected_codes(format, digits, contributions - 1);
  return elias_pays(format, one + others, digits, contributions);
}

}  // namespace

unsigned width_of(const Format& format, unsigned contributions) noexcept {
  return planes::width_of(std::uint64_t{contributions} * format.lattice.top);
}

bool elias_pays(const Format& format, std::size_t bytes, std::size_t digits, unsigned contributions) noexcept {
  const auto planes = static_cast<double>(planes::bytes_of(digits, width_of(format, contributions)));
  return digits <= elias::kMaxCount && static_cast<double>(bytes) <= format.elias * planes;
}

std::size_t digit_count(const Format& format, std::uint64_t offset, std::size_t count) noexcept {
  if (!format.padded || count == 0) return count;
  const std::size_t first = std::min<std::size_t>(count, format.block - offset % format.block);
  const std::size_t whole = (count - first) / format.block * format.block;
  const std::size_t last = count - first - whole;
  return std::bit_ceil(first) + whole + (last == 0 ? 0 : std::bit_ceil(last));
}

std::size_t typical_payload_bytes(const Format& format, std::size_t count, unsigned contributions) noexcept {
  contributions = std::clamp(contributions, 1U, kMaxContributions);
  const std::size_t digits = digit_count(format, 0, count);
  const std::size_t head = head_bytes(format, 0, count);
  if (stays_sparse(format, digits, contributions)) return head + expected_codes(format, digits, contributions);
  return head + body_bytes(format, digits, contributions);
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
  const bool sparse =
      format.elias > 0.0 && form == static_cast<std::uint16_t>(Form::elias) && count <= elias::kMaxCount;
  payload.form = sparse ? Form::elias : form_of(format, payload.contributions);
  if (form != static_cast<std::uint16_t>(payload.form)) {
    fail(Status::corrupt, format.codec, " payload of ", payload.contributions, " contributions is of form ", form);
  }
  const std::size_t units = unit_count(format, payload.offset, count) * sizeof(float);
  payload.common = reader.take(format.tag_bytes + units);
  payload.units = payload.common.subspan(format.tag_bytes);
  check_units(format, payload);
  payload.digits = digit_count(format, payload.offset, count);
  payload.body = reader.take(sparse ? reader.remaining() : body_bytes(format, payload.digits, payload.contributions));
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
  const std::size_t count = std::min(wanted, std::min(kRoom, left_) - used_);
  const std::span<std::uint8_t> room = std::span(digits_).subspan(used_, count);
  used_ += count;
  return room;
}

void DigitWriter::commit() {
  if (used_ < std::min(kRoom, left_)) return;
  if (format_.elias > 0.0) {
    const elias::Tally more =
        planes::tally(std::span(digits_).first(used_), static_cast<std::uint8_t>(format_.lattice.bias));
    tally_.nonzero += more.nonzero;
    tally_.magnitudes += more.magnitudes;
  }
  if (format_.single == Form::base3) {
    write_base3();
  } else {
    write_planes();
  }
  left_ -= used_;
  used_ = 0;
}

void DigitWriter::write_planes() {
  std::fill_n(digits_.begin() + static_cast<std::ptrdiff_t>(used_), planes::kWord, std::uint8_t{0});
  const unsigned width = width_of(format_, 1);
  const std::size_t words = planes::words_of(used_);
  planes::pack(std::span(digits_).first(words * planes::kWord), width,
               writer_.take(planes::bytes_of(used_, width)).data());
}

void DigitWriter::write_base3() {
  // Digits that are not there stand for zero.
  std::fill_n(digits_.begin() + static_cast<std::ptrdiff_t>(used_), 4, std::uint8_t{1});
  for (std::size_t at = 0; at < used_; at += kGroup) {
    ternary::pack(digits_.data() + at, writer_.take(ternary::trit_bytes(std::min(kGroup, used_ - at))));
  }
}

namespace {

/// Puts what the digits of one contribution stand for, where that is not 0.
void write_codes(const std::byte* planes, std::size_t count, const Format& format, elias::Writer& codes) {
  const unsigned width = width_of(format, 1);
  for (std::size_t at = 0; at < count; at += planes::kWord, planes += width * sizeof(std::uint64_t)) {
    std::array<std::uint64_t, planes::kDigitWidth> rows{};
    std::memcpy(rows.data(), planes, width * sizeof(std::uint64_t));
    std::uint64_t some = 0;
    for (unsigned bit = 0; bit < width; ++bit) some |= rows[bit] ^ planes::plane_of(format.lattice.bias, bit);
    if (count - at < planes::kWord) some &= (std::uint64_t{1} << (count - at)) - 1;
    for (; some != 0; some &= some - 1) {
      const auto place = static_cast<unsigned>(std::countr_zero(some));
      std::uint64_t digit = 0;
      for (unsigned bit = 0; bit < width; ++bit) digit |= (rows[bit] >> place & 1) << bit;
      codes.put(at + place, static_cast<std::int32_t>(digit) - static_cast<std::int32_t>(format.lattice.bias));
    }
  }
}

}  // namespace

Bytes DigitWriter::finish(MutableBytes slot) const {
  const Bytes payload = writer_.written();
  const std::size_t most = elias::max_bytes(digits_count_, tally_);
  const MutableBytes behind = slot.subspan(payload.size());
  if (!elias_pays(format_, most, digits_count_, 1) || most > behind.size()) return payload;
  const std::size_t head = payload.size() - planes::bytes_of(digits_count_, width_of(format_, 1));
  elias::Writer codes(behind);
  write_codes(payload.data() + head, digits_count_, format_, codes);
  const std::size_t bytes = codes.finish(digits_count_);
  std::memmove(slot.data() + head, behind.data(), bytes);
  constexpr Form kForm = Form::elias;
  std::memcpy(slot.data() + kFormAt, &kForm, sizeof(kForm));
  return slot.first(head + bytes);
}

}  // namespace gossamer::integer
