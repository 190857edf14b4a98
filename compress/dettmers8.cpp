#include <array>
#include <bit>
#include <cmath>

#include "compress/dense.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"block", "2048", "values that share one scale, 1 to 1048576"},
};

constexpr std::size_t kMagnitudes = 128;
constexpr unsigned kMantissaBits = 6;  // of the index into the table of first guesses
constexpr unsigned kShift = 23 - kMantissaBits;
constexpr std::uint32_t kLowest = std::bit_cast<std::uint32_t>(0x1p-21F) >> kShift;  // below, the nearest is 0
constexpr std::size_t kGuesses = (std::bit_cast<std::uint32_t>(1.0F) >> kShift) - kLowest + 1;

/// The dynamic tree (Dettmers, "8-bit approximations for parallelism in deep learning", ICLR 2016): of the seven bits
/// behind the sign, e leading zeros stand for 10^-e, then comes a one, and the b = 6 - e bits j that are left for
/// 0.1 + 0.9 (j + 1)/2^b. The largest value, 1, is a code, and so is 0.
struct Tree {
  std::array<float, 2 * kMagnitudes> value{};  ///< by code; the upper half is negative
  std::array<float, kMagnitudes> upper{};      ///< above it a larger magnitude is nearer; by code
  std::array<std::uint8_t, kGuesses> guess{};  ///< largest code whose magnitude's reach starts at or below

  Tree() noexcept {
    double power = 1;
    for (unsigned bits = 7; bits-- > 0; power /= 10) {
      const unsigned first = 1U << bits;
      for (unsigned j = 0; j < first; ++j) {
        value[first + j] = static_cast<float>(power * (0.1 + 0.9 * (j + 1) / first));
      }
    }
    for (std::size_t code = 0; code < kMagnitudes; ++code) {
      value[kMagnitudes + code] = -value[code];
      const double next = code + 1 < kMagnitudes ? static_cast<double>(value[code + 1]) : 2.0;
      upper[code] = static_cast<float>((static_cast<double>(value[code]) + next) / 2);
    }
    for (std::size_t i = 0; i < kGuesses; ++i) {
      const auto start = std::bit_cast<float>(static_cast<std::uint32_t>(kLowest + i) << kShift);
      while (start > upper[guess[i]]) ++guess[i];
      if (i + 1 < kGuesses) guess[i + 1] = guess[i];
    }
  }

  /// The code of a magnitude from 0 to 1.
  [[nodiscard]] std::uint8_t code_of(float magnitude) const noexcept {
    const std::uint32_t key = std::bit_cast<std::uint32_t>(magnitude) >> kShift;
    const std::size_t index = key < kLowest ? 0 : std::min<std::size_t>(key - kLowest, kGuesses - 1);
    const std::uint8_t first = guess[index];
    // Magnitudes are further apart than guesses.
    return static_cast<std::uint8_t>(first + (magnitude > upper[first] ? 1 : 0));
  }
};

const Tree& tree() noexcept {
  static const Tree kTree;
  return kTree;
}

/// Body, see BlockCodec: the largest magnitude of each block, one byte per value.
class Dettmers8 final : public BlockCodec {
 public:
  explicit Dettmers8(std::size_t block) noexcept : BlockCodec("dettmers8.1", block, 1) {}

 private:
  [[nodiscard]] std::size_t code_bytes(std::size_t values) const noexcept override { return values; }

  void encode_blocks(Chunk chunk, const Blocks<MutableBytes>& out) override {
    const Tree& table = tree();
    const std::span<const float> values = chunk.floats();
    for_each_block(out, values.size(),
                   [&](std::size_t start, std::size_t count, MutableBytes floats, MutableBytes codes) {
                     const std::span<const float> block = values.subspan(start, count);
                     const float largest = kernels::max_abs(block);
                     std::memcpy(floats.data(), &largest, sizeof(largest));
                     // In double, where the inverse of the smallest float is finite.
                     const double inverse = largest > 0.0F ? 1.0 / static_cast<double>(largest) : 0.0;
                     auto* code = reinterpret_cast<std::uint8_t*>(codes.data());
                     for (std::size_t i = 0; i < count; ++i) {
                       const auto share = static_cast<float>(std::abs(static_cast<double>(block[i])) * inverse);
                       const auto sign = static_cast<std::uint8_t>(std::signbit(block[i]) ? kMagnitudes : 0);
                       code[i] = static_cast<std::uint8_t>(table.code_of(share) | sign);
                     }
                   });
  }

  void add_blocks(const Blocks<Bytes>& in, float scale, std::span<float> out) const override {
    const Tree& table = tree();
    for_each_block(in, out.size(), [&](std::size_t start, std::size_t count, Bytes floats, Bytes codes) {
      float largest = 0;
      std::memcpy(&largest, floats.data(), sizeof(largest));
      const auto* code = reinterpret_cast<const std::uint8_t*>(codes.data());
      float* to = out.data() + start;
      for (std::size_t i = 0; i < count; ++i) to[i] += scale * (table.value[code[i]] * largest);
    });
  }

  [[nodiscard]] bool possible(float value, std::size_t) const noexcept override {
    return value >= 0.0F && std::isfinite(value);
  }
};

}  // namespace

CodecEntry dettmers8_entry() noexcept {
  return {.name = "dettmers8",
          .summary = "8-bit codes that are dense near zero: decimal exponents and what bits they leave",
          .error_feedback = true,
          .error = 6 * 0.00703125,  // half a step of 0.9/64 of the largest, which is below 6 deviations
          .keys = kKeys,
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            const auto block = static_cast<std::size_t>(options.integer("block", 1, BlockCodec::kLargestBlock));
            return std::make_unique<Dettmers8>(block);
          }};
}

}  // namespace gossamer
