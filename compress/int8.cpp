#include <array>
#include <cmath>

#include "compress/dense.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"
#include "compress/linear_levels.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"block", "256", "values that share one scale, 1 to 1048576"},
    Key{"rounding", "nearest", "nearest or stochastic (unbiased)"},
    Key{"reduce", "steps",
        "steps: hops add values and encode again; integer: ranks share scales and hops add codes; or allgather, auto"},
};

/// Payload: u64 count, u32 block, one float scale per block, one byte per value.
class Int8 final : public BlockCodec {
 public:
  Int8(std::size_t block, bool stochastic) noexcept : BlockCodec("int8.2", block, 1), stochastic_(stochastic) {}

  void begin(Chunk, const StepContext& context) override { own_ = context.own; }

 private:
  [[nodiscard]] std::size_t code_bytes(std::size_t values) const noexcept override { return values; }

  void encode_blocks(Chunk chunk, const Blocks<MutableBytes>& out) override {
    const kernels::Int8Blocks blocks{out.block, out.floats, out.codes};
    if (stochastic_) {
      kernels::quantise_int8_stochastic({chunk.floats(), own_, chunk.offset}, blocks);
    } else {
      kernels::quantise_int8(chunk.floats(), blocks);
    }
  }

  void add_blocks(const Blocks<Bytes>& in, float scale, std::span<float> out) const override {
    kernels::add_int8(in.floats, in.codes, in.block, scale, out);
  }

  /// NaN is how an encoder passes on a block that is not finite.
  [[nodiscard]] bool possible(float value, std::size_t) const noexcept override {
    return !(value < 0.0F) && !std::isinf(value);
  }

  bool stochastic_;
  RandomStream own_;
};

constexpr std::array kWays = {
    Alternative{"re-encode", "reduce", "steps"},
    Alternative{"integer sums", "reduce", "integer"},
};

std::unique_ptr<TensorCodec> make_int8(const Options& options, const Shape& shape) {
  const auto block = static_cast<std::size_t>(options.integer("block", 1, BlockCodec::kLargestBlock));
  const bool stochastic = options.choice("rounding", {"nearest", "stochastic"}) == 1;
  if (options.text("reduce") != "integer") return std::make_unique<Int8>(block, stochastic);
  LevelPlan plan;
  plan.name = "int8-integer.2";
  plan.codec = "int8";
  plan.block = block;
  plan.rounding = stochastic ? Rounding::stochastic : Rounding::nearest;
  return make_linear_levels(plan, shape.count());
}

}  // namespace

CodecEntry int8_entry() noexcept {
  return {.name = "int8",
          .summary = "8-bit linear codes with one scale per block",
          .error_feedback = true,
          .error = 6.0 / 127,  // a step of max|x|/127, where max|x| < 6 deviations
          .keys = kKeys,
          .alternatives = kWays,
          .make = make_int8};
}

}  // namespace gossamer
