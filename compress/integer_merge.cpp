#include <bit>

#include "compress/integer_payload.hpp"

namespace gossamer::integer {

elias::Reader read_codes(const Format& format, const Payload& payload) {
  if (payload.form != Form::elias) return {{}, 0, {}};
  const std::int64_t contributions = payload.contributions;
  return {payload.body,
          payload.digits,
          {-contributions * format.lattice.bias, contributions * (format.lattice.top - format.lattice.bias)}};
}

PlaneReader::PlaneReader(const Format& format, const Payload& payload)
    : format_(format),
      payload_(payload),
      left_(payload.digits),
      width_(width_of(format, payload.contributions)),
      codes_(read_codes(format, payload)) {}

const std::byte* PlaneReader::next() {
  const std::size_t count = group();
  left_ -= count;
  if (payload_.form == Form::base3) return digits_to_planes(count);
  if (payload_.form == Form::elias) return codes_to_planes(count);
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
  const auto planes = std::as_writable_bytes(std::span(planes_));
  planes::pack(std::span(digits).first(planes::words_of(count) * planes::kWord), width_, planes.data());
  return planes.data();
}

const std::byte* PlaneReader::codes_to_planes(std::size_t count) {
  const auto zero = payload_.contributions * format_.lattice.bias;
  for (std::size_t word = 0; word < planes::words_of(count); ++word) {
    const std::size_t here = count - word * planes::kWord;
    const std::uint64_t values = here < planes::kWord ? (std::uint64_t{1} << here) - 1 : ~std::uint64_t{0};
    for (unsigned bit = 0; bit < width_; ++bit) planes_[word * width_ + bit] = planes::plane_of(zero, bit) & values;
  }
  const std::size_t end = payload_.digits - left_;
  for (; codes_.position() < end; codes_.next()) {
    const std::size_t at = codes_.position() - (end - count);
    std::uint32_t changed = (zero + static_cast<std::uint32_t>(codes_.value())) ^ zero;
    for (; changed != 0; changed &= changed - 1) {
      planes_[at / planes::kWord * width_ + static_cast<unsigned>(std::countr_zero(changed))] ^= std::uint64_t{1}
                                                                                                 << at % planes::kWord;
    }
  }
  return std::as_bytes(std::span(planes_)).data();
}

void PlaneReader::next_codes(std::span<float> codes) {
  const std::size_t start = payload_.digits - left_;
  left_ -= codes.size();
  std::fill(codes.begin(), codes.end(), 0.0F);
  for (; codes_.position() < start + codes.size(); codes_.next()) {
    codes[codes_.position() - start] = static_cast<float>(codes_.value());
  }
}

SumReader::SumReader(const Format& format, const Payload& payload)
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
    if (payload_.form == Form::elias) {
      planes_.next_codes(sums.first(count));
    } else if (!planes::unpack(planes_.next(), meaning_, sums)) {
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

namespace {

/// Codes add up to no more bytes than both have, so that they stay codes as long as that is short enough.
bool stay_sparse(const Format& format, const Payload& a, const Payload& b) noexcept {
  return a.form == Form::elias && b.form == Form::elias &&
         elias_pays(format, a.body.size() + b.body.size(), a.digits, a.contributions + b.contributions);
}

std::size_t add_codes(elias::Reader a, elias::Reader b, std::size_t count, MutableBytes out) {
  elias::Writer sum(out);
  while (true) {
    const std::size_t place = std::min(a.position(), b.position());
    if (place == count) return sum.finish(count);
    std::int32_t value = 0;
    for (elias::Reader* each : {&a, &b}) {
      if (each->position() != place) continue;
      value += each->value();
      each->next();
    }
    if (value != 0) sum.put(place, value);
  }
}

void add_planes(const Format& format, const Payload& a, const Payload& b, ByteWriter& writer) {
  const unsigned width = width_of(format, a.contributions + b.contributions);
  PlaneReader lefts(format, a);
  PlaneReader rights(format, b);
  while (const std::size_t group = lefts.group()) {
    std::byte* sum = writer.take(planes::bytes_of(group, width)).data();
    const planes::Operand x{lefts.next(), lefts.width()};
    const planes::Operand y{rights.next(), rights.width()};
    if (!planes::add(x, y, planes::words_of(group), width, sum)) {
      fail(Status::corrupt, format.codec, " payload has a sum beyond its contributions");
    }
  }
}

}  // namespace

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
  const bool sparse = stay_sparse(format, left, right);
  ByteWriter writer(slot);
  put_header(writer, count, left.offset, contributions, sparse ? Form::elias : Form::planes);
  writer.put_bytes(left.common);
  if (sparse) {
    writer.take(add_codes(read_codes(format, left), read_codes(format, right), left.digits, writer.room()));
  } else {
    add_planes(format, left, right, writer);
  }
  return writer.written();
}

}  // namespace gossamer::integer
