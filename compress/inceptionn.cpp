#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "compress/dense.hpp"
#include "compress/entries.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"bound", "10", "magnitudes below 2^-bound become zero, others are off by at most half of that; 2 to 12"},
};

enum class Class : std::uint8_t { zero, byte, word, exact };
constexpr std::array<std::size_t, 4> kBytesOf = {0, 1, 2, 4};
constexpr int kByteExponents = 5;  // with four bits of mantissa, an error of half of 2^-bound at most
constexpr int kDoubleMantissa = std::numeric_limits<double>::digits - 1;
constexpr int kDoubleBias = std::numeric_limits<double>::max_exponent - 1;

/// One value as sign, exponent (three bits, from `lowest` on) and mantissa: the upper bits of a double less what
/// belongs to 2^lowest, rounded to nearest. A mantissa that is rounded up to 2 goes into the exponent, which has room
/// for one more.
struct Short {
  int mantissa_bits;
  int lowest;

  [[nodiscard]] std::uint32_t encode(double value) const noexcept {
    const auto magnitude = std::bit_cast<std::uint64_t>(std::abs(value)) + (std::uint64_t{1} << (shift() - 1));
    const auto code = static_cast<std::uint32_t>((magnitude - base()) >> shift());
    return code | (std::signbit(value) ? 8U << mantissa_bits : 0);
  }
  [[nodiscard]] double decode(std::uint32_t code) const noexcept {
    const std::uint32_t magnitude = code & ((8U << mantissa_bits) - 1);
    const auto value = std::bit_cast<double>((std::uint64_t{magnitude} << shift()) + base());
    return (code >> mantissa_bits & 8) != 0 ? -value : value;
  }

 private:
  [[nodiscard]] int shift() const noexcept { return kDoubleMantissa - mantissa_bits; }
  [[nodiscard]] std::uint64_t base() const noexcept {
    return static_cast<std::uint64_t>(kDoubleBias + lowest) << kDoubleMantissa;
  }
};

/// INCEPTIONN (Li et al., "A network-centric hardware/algorithm co-design to accelerate distributed training of deep
/// neural networks", MICRO 2018): what a value takes depends on its exponent.
///
/// Body: float unit, two bits per value for its class, then the values: nothing below 2^-bound units; a byte for the
/// next five exponents; two bytes up to one unit; the float itself from there on.
class Inceptionn final : public DenseCodec {
 public:
  explicit Inceptionn(int bound) noexcept
      : DenseCodec("inceptionn.1"),
        bound_(std::ldexp(1.0, -bound)),
        longer_(std::min(1.0, std::ldexp(1.0, kByteExponents - bound))),
        byte_{4, -bound},
        word_{12, kByteExponents - bound} {}

  void begin(Chunk, const StepContext& context) override { unit_ = context.input_scale; }

 private:
  [[nodiscard]] std::size_t body_bytes(std::size_t count) const noexcept override {
    return sizeof(float) + tag_bytes(count) + kBytesOf.back() * count;
  }
  [[nodiscard]] std::size_t typical_body(std::size_t count) const noexcept override {
    return sizeof(float) + tag_bytes(count) + count;
  }
  static std::size_t tag_bytes(std::size_t count) noexcept { return count / 4 + (count % 4 != 0 ? 1 : 0); }

  [[nodiscard]] Class class_of(double value) const noexcept {
    const double magnitude = std::abs(value);
    return static_cast<Class>((magnitude >= bound_ ? 1 : 0) + (magnitude >= longer_ ? 1 : 0) +
                              (magnitude >= 1 ? 1 : 0));
  }

  void encode_body(Chunk chunk, ByteWriter& body) override {
    body.put(unit_);
    const MutableBytes tags = body.take(tag_bytes(chunk.count));
    std::fill(tags.begin(), tags.end(), std::byte{0});
    const std::span<const float> values = chunk.floats();
    std::byte* out = body.room().data();
    std::size_t used = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = static_cast<double>(values[i]) / static_cast<double>(unit_);
      const Class kind = class_of(value);
      tags[i / 4] |= static_cast<std::byte>(static_cast<unsigned>(kind) << (i % 4 * 2));
      std::uint32_t code = kind == Class::byte ? byte_.encode(value) : word_.encode(value);
      if (kind == Class::exact) code = std::bit_cast<std::uint32_t>(values[i]);
      // What the class does not use is overwritten by the next value; there is room for four bytes of each.
      std::memcpy(out + used, &code, sizeof(code));
      used += kBytesOf[static_cast<std::size_t>(kind)];
    }
    body.take(used);
  }

  void add_body(ByteReader& body, float scale, Chunk out) const override {
    const auto unit = body.get<float>();
    if (!(unit > 0.0F) || !std::isfinite(unit)) fail(Status::corrupt, "inceptionn payload has a unit of ", unit);
    const Bytes tags = body.take(tag_bytes(out.count));
    const std::span<float> values = out.floats();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto kind = static_cast<Class>(static_cast<unsigned>(tags[i / 4]) >> (i % 4 * 2) & 3);
      if (kind == Class::byte) values[i] += scale * of_units(byte_.decode(body.get<std::uint8_t>()), unit);
      if (kind == Class::word) values[i] += scale * of_units(word_.decode(body.get<std::uint16_t>()), unit);
      if (kind == Class::exact) values[i] += scale * exact(body.get<float>());
    }
  }

  static float of_units(double value, float unit) noexcept {
    return static_cast<float>(value * static_cast<double>(unit));
  }
  static float exact(float value) {
    if (!std::isfinite(value)) fail(Status::corrupt, "inceptionn payload has a value of ", value);
    return value;
  }

  double bound_;   ///< from here on a byte
  double longer_;  ///< two
  Short byte_;
  Short word_;
  float unit_ = 1.0F;
};

}  // namespace

CodecEntry inceptionn_entry() noexcept {
  return {.name = "inceptionn",
          .summary = "no, one, two or four bytes for a value, by its exponent; the error has a fixed bound",
          .error_feedback = false,
          .error = 0.25,  // of the coarsest bound: what is below a quarter
          .keys = kKeys,
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Inceptionn>(static_cast<int>(options.integer("bound", 2, 12)));
          }};
}

}  // namespace gossamer
