#include "compress/packed_values.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "compress/bit_stream.hpp"

namespace gossamer {
namespace {

constexpr int kLogSteps = 7;  // log4: the smallest value is unit / 2^7

unsigned code_bits(ValueFormat format) noexcept {
  if (format.coder == ValueCoder::sign) return 1;
  if (format.coder == ValueCoder::log4) return 4;
  return 1 + static_cast<unsigned>(std::bit_width(unsigned{format.levels}));
}

float largest(std::span<const float> values) noexcept {
  float most = 0;
  for (const float value : values) most = std::max(most, std::fabs(value));
  return most;
}

float round_to_sign(SparseVector& entries) noexcept {
  double sum = 0;
  for (const float value : entries.values()) sum += std::fabs(static_cast<double>(value));
  const auto mean = static_cast<float>(sum / static_cast<double>(entries.size()));
  for (float& value : entries.values()) value = std::copysign(mean, value);
  return mean;
}

/// The exponent of the power of two nearest to |value| > 0, of those that are floats.
int nearest_exponent(float value) noexcept {
  int exponent = 0;
  const float mantissa = std::frexp(std::fabs(value), &exponent);  // in [0.5, 1)
  return std::min(mantissa < 0.75F ? exponent - 1 : exponent, std::numeric_limits<float>::max_exponent - 1);
}

float round_to_powers(SparseVector& entries) noexcept {
  const int top = nearest_exponent(largest(entries.values()));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const float value = entries.values()[i];
    const int exponent = nearest_exponent(value);
    if (top - exponent > kLogSteps) continue;
    entries.indices()[kept] = entries.indices()[i];
    entries.values()[kept++] = std::copysign(std::ldexp(1.0F, exponent), value);
  }
  entries.shrink(kept);
  return std::ldexp(1.0F, top);
}

float round_to_levels(SparseVector& entries, unsigned levels, const EntryDraws& draws) noexcept {
  const auto most = static_cast<float>(levels);
  float unit = largest(entries.values()) / most;
  if (!std::isfinite(unit * most)) unit = std::nextafter(unit, 0.0F);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    float& value = entries.values()[i];
    const double steps = unit > 0 ? std::fabs(static_cast<double>(value)) / static_cast<double>(unit) : 0;
    const double level = std::floor(steps + static_cast<double>(draws.uniform(entries.indices()[i])));
    value = std::copysign(std::min(static_cast<float>(level), most) * unit, value);
  }
  return unit;
}

unsigned code_of(ValueFormat format, float value) noexcept {
  const auto sign = static_cast<unsigned>(std::signbit(value));
  if (format.coder == ValueCoder::sign) return sign;
  if (format.coder == ValueCoder::log4) {
    return sign << 3 | static_cast<unsigned>(std::ilogb(format.unit) - std::ilogb(value));
  }
  const double level = format.unit > 0 ? std::fabs(static_cast<double>(value)) / static_cast<double>(format.unit) : 0;
  return sign << (code_bits(format) - 1) | static_cast<unsigned>(std::lround(level));
}

/// What each code stands for: at most 2^8 of them.
struct CodeTable {
  float values[256];
  unsigned codes = 0;

  CodeTable(ValueFormat format, float unit) noexcept : codes(2) {
    unsigned steps = 1;
    if (format.coder == ValueCoder::log4) steps = kLogSteps + 1;
    if (format.coder == ValueCoder::levels) steps = 1U << (code_bits(format) - 1);
    codes = 2 * steps;
    for (unsigned step = 0; step < steps; ++step) {
      float value = unit;
      if (format.coder == ValueCoder::log4) value = std::ldexp(unit, -static_cast<int>(step));
      if (format.coder == ValueCoder::levels) value = unit * static_cast<float>(step);
      values[step] = value;
      values[steps + step] = -value;
    }
  }
};

}  // namespace

float round_values(ValueFormat format, SparseVector& entries, const EntryDraws& draws) noexcept {
  if (entries.size() == 0) return 0;
  if (format.coder == ValueCoder::sign) return round_to_sign(entries);
  if (format.coder == ValueCoder::log4) return round_to_powers(entries);
  if (format.coder == ValueCoder::levels) return round_to_levels(entries, format.levels, draws);
  return 0;
}

std::size_t packed_bytes(ValueFormat format, std::size_t count) noexcept {
  return count == 0 ? 0 : sizeof(float) + (count * code_bits(format) + 7) / 8;
}

void pack_values(ValueFormat format, std::span<const float> values, MutableBytes out) {
  std::memcpy(out.data(), &format.unit, sizeof(float));
  const unsigned bits = code_bits(format);
  BitWriter writer(out.subspan(sizeof(float)));
  for (const float value : values) writer.put(code_of(format, value), bits);
  writer.finish();
}

void unpack_values(ValueFormat format, Bytes in, std::size_t first, std::span<float> values) {
  float unit = 0;
  std::memcpy(&unit, in.data(), sizeof(unit));
  if (!std::isfinite(unit * std::max(1.0F, static_cast<float>(format.levels))) || std::signbit(unit)) {
    fail(Status::corrupt, "payload has a unit of ", unit, " for its values; units are finite and not negative");
  }
  const CodeTable table(format, unit);
  const unsigned bits = code_bits(format);
  BitReader reader(in.subspan(sizeof(float) + first * bits / 8));
  unsigned largest_level = 0;
  for (float& value : values) {
    const auto code = static_cast<unsigned>(reader.peek()) & (table.codes - 1);
    reader.skip(bits);
    value = table.values[code];
    largest_level = std::max(largest_level, code & (table.codes / 2 - 1));
  }
  if (format.coder == ValueCoder::levels && largest_level > format.levels) {
    fail(Status::corrupt, "payload has a value of ", largest_level, " levels; at most ", +format.levels);
  }
}

}  // namespace gossamer
