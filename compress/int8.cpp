#include <array>
#include <cmath>

#include "compress/codec.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"
#include "compress/linear_levels.hpp"

namespace gossamer {
namespace {

constexpr std::int64_t kLargestBlock = 1 << 20;

constexpr std::array kKeys = {
    Key{"block", "256", "values that share one scale, 1 to 1048576"},
    Key{"rounding", "nearest", "nearest or stochastic (unbiased)"},
    Key{"reduce", "steps", "steps: hops add values and encode again; integer: ranks share scales and hops add codes"},
};

/// Payload: u64 count, u32 block, one float scale per block, one byte per value.
class Int8 final : public Codec {
 public:
  Int8(std::size_t block, bool stochastic) noexcept : block_(block), stochastic_(stochastic) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "int8.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}

  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override {
    return kHeader + blocks(count, block_) * sizeof(float) + count;
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return max_payload(count); }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext& context) override { own_ = context.own; }

  Bytes encode(Chunk chunk, MutableBytes slot) override {
    ByteWriter writer(slot);
    writer.put(std::uint64_t{chunk.count});
    writer.put(static_cast<std::uint32_t>(block_));
    const MutableBytes scales = writer.take(blocks(chunk.count, block_) * sizeof(float));
    const kernels::Int8Blocks out{block_, scales, writer.take(chunk.count)};
    if (stochastic_) {
      kernels::quantise_int8_stochastic(chunk.floats(), out, own_, chunk.offset);
    } else {
      kernels::quantise_int8(chunk.floats(), out);
    }
    return writer.written();
  }

  void accumulate(Bytes payload, float scale, Chunk out) const override {
    ByteReader reader(payload);
    const auto count = reader.get<std::uint64_t>();
    if (count != out.count) {
      fail(Status::corrupt, "int8 payload is of ", count, " values; ", out.count, " were expected");
    }
    const std::size_t block = reader.get<std::uint32_t>();
    if (block == 0) fail(Status::corrupt, "int8 payload has blocks of 0 values");
    const Bytes scales = reader.take(blocks(out.count, block) * sizeof(float));
    check_scales(scales);
    const Bytes codes = reader.take(out.count);
    reader.expect_end();
    kernels::add_int8(scales, codes, block, scale, out.floats());
  }

 private:
  static constexpr std::size_t kHeader = sizeof(std::uint64_t) + sizeof(std::uint32_t);

  static std::size_t blocks(std::size_t count, std::size_t block) noexcept {
    return count / block + (count % block != 0 ? 1 : 0);
  }

  /// NaN is how an encoder passes on a block that is not finite.
  static void check_scales(Bytes scales) {
    ByteReader reader(scales);
    while (reader.remaining() != 0) {
      const auto scale = reader.get<float>();
      if (scale < 0.0F || std::isinf(scale)) fail(Status::corrupt, "int8 payload has a block scale of ", scale);
    }
  }

  std::size_t block_;
  bool stochastic_;
  RandomStream own_;
};

constexpr std::array kWays = {
    Alternative{"re-encode", "reduce", "steps"},
    Alternative{"integer sums", "reduce", "integer"},
};

std::unique_ptr<TensorCodec> make_int8(const Options& options, const Shape& shape) {
  const auto block = static_cast<std::size_t>(options.integer("block", 1, kLargestBlock));
  const bool stochastic = options.choice("rounding", {"nearest", "stochastic"}) == 1;
  if (options.text("reduce") != "integer") return std::make_unique<Int8>(block, stochastic);
  LevelPlan plan;
  plan.name = "int8-integer.1";
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
          .needs_matrix = false,
          .error = 6.0 / 127,  // a step of max|x|/127, where max|x| < 6 deviations
          .keys = kKeys,
          .alternatives = kWays,
          .make = make_int8};
}

}  // namespace gossamer
