#include <array>
#include <cmath>
#include <limits>

#include "compress/dense.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"
#include "compress/ternary.hpp"
#include "compress/zero_runs.hpp"

namespace gossamer {
namespace {

using ternary::kGroup;

constexpr std::array kKeys = {
    Key{"sparsity", "1.0", "the scale is this many times the largest magnitude, 1 to 1.99: more become zero"},
};

constexpr double kMostSparse = 1.99;  // from 2 on, the largest value would become zero, too

/// The digits 0 … 2 of values below −half, between, and above half.
void quantise(std::span<const float> values, float half, std::uint8_t* digits) noexcept {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int code = static_cast<int>(values[i] > half) - static_cast<int>(values[i] < -half);
    digits[i] = static_cast<std::uint8_t>(code + 1);
  }
}

void add(const std::uint8_t* digits, float unit, float scale, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] += scale * (static_cast<float>(static_cast<int>(digits[i]) - 1) * unit);
  }
}

/// Calls visit(first value, values, bytes of their digits) for each group of up to kGroup.
template <typename Visit>
void for_each_group(std::size_t count, const Visit& visit) {
  for (std::size_t at = 0; at < count; at += kGroup) {
    const std::size_t values = std::min(kGroup, count - at);
    visit(at, values, ternary::trit_bytes(values));
  }
}

/// Payload: u64 count, float scale, base-3 digits in groups of 320 (ternary.hpp) whose zeros are shortened
/// (zero_runs.hpp).
class ThreeLc final : public DenseCodec {
 public:
  explicit ThreeLc(double sparsity) noexcept : DenseCodec("3lc.1"), sparsity_(sparsity) {}

 private:
  [[nodiscard]] std::size_t body_bytes(std::size_t count) const noexcept override {
    return sizeof(float) + digit_bytes(count);
  }
  /// Of normal values, two thirds of the bytes vanish in runs.
  [[nodiscard]] std::size_t typical_body(std::size_t count) const noexcept override {
    return sizeof(float) + digit_bytes(count) / 3;
  }

  void encode_body(Chunk chunk, ByteWriter& body) override {
    const std::span<const float> values = chunk.floats();
    const float unit = unit_for(kernels::max_abs(values));
    body.put(unit);
    // No run is longer than what it stands for: the room of all digits suffices.
    zero_runs::Writer writer(body.room().data());
    for_each_group(chunk.count, [&](std::size_t at, std::size_t count, std::size_t bytes) {
      alignas(64) std::array<std::uint8_t, kGroup> digits;
      std::array<std::byte, kGroup / 5> packed;
      quantise(values.subspan(at, count), unit / 2, digits.data());
      std::fill(digits.begin() + static_cast<std::ptrdiff_t>(count), digits.end(), std::uint8_t{1});
      ternary::pack(digits.data(), std::span(packed).first(bytes));
      writer.put(std::span(packed).first(bytes));
    });
    body.take(writer.finish());
  }

  void add_body(ByteReader& body, float scale, Chunk out) const override {
    const auto unit = body.get<float>();
    if (!(unit >= 0.0F) || !std::isfinite(unit)) fail(Status::corrupt, "3lc payload has a scale of ", unit);
    const std::span<float> values = out.floats();
    zero_runs::Reader reader(body.take(body.remaining()));
    for_each_group(out.count, [&](std::size_t at, std::size_t count, std::size_t bytes) {
      alignas(64) std::array<std::uint8_t, kGroup> digits;
      std::array<std::byte, kGroup / 5> packed;
      if (!reader.get(std::span(packed).first(bytes))) {
        fail(Status::corrupt, "3lc payload ends within the ", count, " values from ", at, " on");
      }
      static_cast<void>(ternary::unpack(std::span(packed).first(bytes), digits.data()));
      add(digits.data(), unit, scale, values.subspan(at, count));
    });
    if (!reader.at_end()) fail(Status::corrupt, "3lc payload has more digits than its ", out.count, " values");
  }

  static std::size_t digit_bytes(std::size_t count) noexcept {
    return count / kGroup * ternary::trit_bytes(kGroup) + ternary::trit_bytes(count % kGroup);
  }

  /// Above half of it lies the largest value, even when it is subnormal.
  [[nodiscard]] float unit_for(float largest) const noexcept {
    constexpr double kMost = std::numeric_limits<float>::max();
    const auto unit = static_cast<float>(std::min(sparsity_ * static_cast<double>(largest), kMost));
    return unit / 2 < largest ? unit : largest;
  }

  double sparsity_;
};

}  // namespace

CodecEntry three_lc_entry() noexcept {
  return {.name = "3lc",
          .summary = "-1, 0 or 1 times the largest value, five to a byte, runs of zeros shortened",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<ThreeLc>(options.real("sparsity", 1.0, kMostSparse));
          }};
}

}  // namespace gossamer
