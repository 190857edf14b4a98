#include <array>
#include <cmath>
#include <cstring>

#include "compress/dense.hpp"
#include "compress/entries.hpp"
#include "compress/sign_kernels.hpp"

namespace gossamer {
namespace {

constexpr std::array kEfsignKeys = {
    Key{"block", "0", "values that share one scale, 0 to 1048576; 0: all values of a chunk"},
};
constexpr std::array kOnebitKeys = {
    Key{"block", "0", "values that share two means, 0 to 1048576; 0: all values of a chunk"},
};

/// The mean magnitude, for either sign.
struct MeanMagnitude {
  static constexpr std::string_view kName = "efsign.1";
  static constexpr std::size_t kFloats = 1;

  static std::array<float, kFloats> write(const signs::Sides& sides, std::size_t count) noexcept {
    return {static_cast<float>((sides.positive - sides.negative) / static_cast<double>(count))};
  }
  static signs::Levels read(const std::array<float, kFloats>& floats) noexcept { return {-floats[0], floats[0]}; }
  static bool possible(float value, std::size_t) noexcept { return value >= 0.0F && std::isfinite(value); }
};

/// The mean of the values below zero and that of the others; 0 for a side without values.
struct TwoMeans {
  static constexpr std::string_view kName = "onebit.1";
  static constexpr std::size_t kFloats = 2;

  static std::array<float, kFloats> write(const signs::Sides& sides, std::size_t count) noexcept {
    return {mean(sides.negative, sides.negatives), mean(sides.positive, count - sides.negatives)};
  }
  static signs::Levels read(const std::array<float, kFloats>& floats) noexcept { return {floats[0], floats[1]}; }
  static bool possible(float value, std::size_t index) noexcept {
    return (index == 0 ? value <= 0.0F : value >= 0.0F) && std::isfinite(value);
  }

 private:
  static float mean(double sum, std::size_t count) noexcept {
    return count == 0 ? 0.0F : static_cast<float>(sum / static_cast<double>(count));
  }
};

/// Payload: u64 count, u32 block, the block's floats (a scale; or the negative and the other mean), one bit per value
/// (1: below zero), the last byte of a block filled up with zeros.
template <typename Scaling>
class ScaledSign final : public BlockCodec {
 public:
  explicit ScaledSign(std::size_t block) noexcept : BlockCodec(Scaling::kName, block, Scaling::kFloats) {}

 private:
  using Floats = std::array<float, Scaling::kFloats>;

  [[nodiscard]] std::size_t code_bytes(std::size_t values) const noexcept override { return signs::bytes_of(values); }

  void encode_blocks(Chunk chunk, const Blocks<MutableBytes>& out) override {
    const std::span<const float> in = chunk.floats();
    for_each_block(out, chunk.count, [&](std::size_t start, std::size_t count, MutableBytes floats, MutableBytes bits) {
      const Floats values = Scaling::write(signs::pack(in.subspan(start, count), bits), count);
      std::memcpy(floats.data(), values.data(), sizeof(values));
    });
  }

  void add_blocks(const Blocks<Bytes>& in, float scale, std::span<float> out) const override {
    for_each_block(in, out.size(), [&](std::size_t start, std::size_t count, Bytes floats, Bytes bits) {
      Floats values;
      std::memcpy(values.data(), floats.data(), sizeof(values));
      signs::add(bits, Scaling::read(values), scale, out.subspan(start, count));
    });
  }

  [[nodiscard]] bool possible(float value, std::size_t index) const noexcept override {
    return Scaling::possible(value, index);
  }
};

template <typename Scaling>
std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const auto block = static_cast<std::size_t>(options.integer("block", 0, BlockCodec::kLargestBlock));
  return std::make_unique<ScaledSign<Scaling>>(block);
}

}  // namespace

CodecEntry efsign_entry() noexcept {
  return {.name = "efsign",
          .summary = "one bit per value and their mean magnitude",
          .error_feedback = true,
          .error = 1,
          .keys = kEfsignKeys,
          .make = make<MeanMagnitude>};
}

CodecEntry onebit_entry() noexcept {
  return {.name = "onebit",
          .summary = "one bit per value, and the means of either sign",
          .error_feedback = true,
          .error = 1,
          .keys = kOnebitKeys,
          .make = make<TwoMeans>};
}

}  // namespace gossamer
