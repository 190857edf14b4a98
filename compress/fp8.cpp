#include "compress/fp8.hpp"

#include <array>
#include <cmath>

#include "compress/dense.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"format", "e4m3", "e4m3 (finer) or e5m2 (wider)"},
};

/// Payload: u64 count, i16 exponent of the scale, u16 mantissa bits of the format, one byte per value.
class Fp8 final : public DenseCodec, public SharedMaxima {
 public:
  explicit Fp8(const fp8::Format& format) noexcept : DenseCodec("fp8.1"), format_(format) {}

  [[nodiscard]] std::span<float> maxima() noexcept override { return maxima_; }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void begin(Chunk tensor, const StepContext& context) override {
    maxima_ = {kernels::max_abs(tensor.floats())};
    ranks_ = context.ranks;
  }

 private:
  [[nodiscard]] std::size_t body_bytes(std::size_t count) const noexcept override {
    return sizeof(std::int16_t) + sizeof(std::uint16_t) + count;
  }

  void encode_body(Chunk chunk, ByteWriter& body) override {
    const fp8::Scaling scaling{format_, scale_exponent()};
    body.put(static_cast<std::int16_t>(scaling.exponent));
    body.put(static_cast<std::uint16_t>(format_.mantissa_bits));
    fp8::encode(chunk.floats(), scaling, body.take(chunk.count));
  }

  void add_body(ByteReader& body, float scale, Chunk out) const override {
    fp8::Scaling scaling;
    scaling.exponent = body.get<std::int16_t>();
    if (scaling.exponent < fp8::kLeastExponent || scaling.exponent > fp8::kLargestExponent) {
      fail(Status::corrupt, "fp8 payload has a scale of 2^", scaling.exponent, "; ", fp8::kLeastExponent, " to ",
           fp8::kLargestExponent, " are possible");
    }
    const int mantissa_bits = body.get<std::uint16_t>();
    if (mantissa_bits != fp8::kE4M3.mantissa_bits && mantissa_bits != fp8::kE5M2.mantissa_bits) {
      fail(Status::corrupt, "fp8 payload has ", mantissa_bits, " bits of mantissa; 2 and 3 are possible");
    }
    scaling.format = mantissa_bits == fp8::kE4M3.mantissa_bits ? fp8::kE4M3 : fp8::kE5M2;
    if (!fp8::add(body.take(out.count), scaling, scale, out.floats())) {
      fail(Status::corrupt, "fp8 payload has a value that is not finite");
    }
  }

  /// The least scale under which the sum of all ranks' largest values is still finite. A power of two, so that scaling
  /// rounds nothing.
  [[nodiscard]] int scale_exponent() const noexcept {
    const double largest = static_cast<double>(maxima_[0]) * ranks_ / static_cast<double>(format_.max);
    if (!(largest > 0.0)) return 0;
    int exponent = 0;
    if (std::frexp(largest, &exponent) == 0.5) --exponent;
    return std::clamp(exponent, fp8::kLeastExponent, fp8::kLargestExponent);
  }

  fp8::Format format_;
  std::array<float, 1> maxima_{};
  int ranks_ = 1;
};

}  // namespace

CodecEntry fp8_entry() noexcept {
  return {.name = "fp8",
          .summary = "8-bit floats under a scale that all ranks share",
          .error_feedback = true,
          .error = 0x1p-3,
          .keys = kKeys,
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            const bool fine = options.choice("format", {"e4m3", "e5m2"}) == 0;
            return std::make_unique<Fp8>(fine ? fp8::kE4M3 : fp8::kE5M2);
          }};
}

}  // namespace gossamer
