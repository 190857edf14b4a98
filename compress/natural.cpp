#include "compress/natural.hpp"

#include <array>
#include <bit>

#include "compress/dense.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"
#include "compress/sign_kernels.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"bits", "9", "9 (every power of two) or 8 (the upper 127 of a chunk)"},
};

/// Payload: u64 count, u16 bits, u16 base; for 9 bits a byte of exponent field per value and then a bit of sign, for 8
/// bits a byte of sign and field − base.
class Natural final : public DenseCodec {
 public:
  explicit Natural(unsigned bits) noexcept : DenseCodec("natural.1"), bits_(bits) {}

  void begin(Chunk, const StepContext& context) override { own_ = context.own; }

 private:
  [[nodiscard]] std::size_t body_bytes(std::size_t count) const noexcept override {
    return 2 * sizeof(std::uint16_t) + count + (bits_ == 9 ? signs::bytes_of(count) : 0);
  }

  void encode_body(Chunk chunk, ByteWriter& body) override {
    const RoundingSource source{chunk.floats(), own_, chunk.offset};
    const std::uint32_t base = bits_ == 9 ? 0 : base_for(source.values);
    body.put(static_cast<std::uint16_t>(bits_));
    body.put(static_cast<std::uint16_t>(base));
    const MutableBytes bytes = body.take(chunk.count);
    if (bits_ == 9) {
      natural::encode_fields(source, {bytes, body.take(signs::bytes_of(chunk.count))});
    } else {
      natural::encode_codes(source, base, bytes);
    }
  }

  void add_body(ByteReader& body, float scale, Chunk out) const override {
    const std::uint32_t bits = body.get<std::uint16_t>();
    if (bits != 8 && bits != 9) {
      fail(Status::corrupt, "natural payload has ", bits, " bits per value; 8 and 9 are possible");
    }
    const std::uint32_t base = body.get<std::uint16_t>();
    const std::uint32_t largest_base = bits == 9 ? 0 : natural::kLargestBase;
    if (base > largest_base) {
      fail(Status::corrupt, "natural payload has a base of ", base, "; at most ", largest_base, " is possible");
    }
    const Bytes bytes = body.take(out.count);
    if (bits == 8) {
      natural::add_codes(bytes, base, scale, out.floats());
    } else if (!natural::add_fields(bytes, body.take(signs::bytes_of(out.count)), scale, out.floats())) {
      fail(Status::corrupt, "natural payload has a value that is not finite");
    }
  }

  /// Under which the largest value still has a code, rounded up.
  static std::uint32_t base_for(std::span<const float> values) noexcept {
    const std::uint32_t field = std::bit_cast<std::uint32_t>(kernels::max_abs(values)) >> 23;
    const std::uint32_t top = std::min(field + 1, natural::kLargestField);
    return top > natural::kLargestCode ? top - natural::kLargestCode : 0;
  }

  unsigned bits_;
  RandomStream own_;
};

}  // namespace

CodecEntry natural_entry() noexcept {
  return {.name = "natural",
          .summary = "powers of two, rounded to at random: sign and exponent of each value",
          .error_feedback = false,
          .error = 1,  // variance at most x^2 / 8 on average, and at most x^2 for any one value
          .keys = kKeys,
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Natural>(static_cast<unsigned>(options.integer("bits", 8, 9)));
          }};
}

}  // namespace gossamer
