#include <array>
#include <cmath>

#include "compress/dense.hpp"
#include "compress/dynamic_tree.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"block", "2048", "values that share one scale, 1 to 1048576"},
};

/// Codes of the dynamic tree. Body, see BlockCodec: the largest magnitude of each block, one byte per value.
class Dettmers8 final : public BlockCodec {
 public:
  explicit Dettmers8(std::size_t block) noexcept : BlockCodec("dettmers8.2", block, 1) {}

 private:
  [[nodiscard]] std::size_t code_bytes(std::size_t values) const noexcept override { return values; }

  void encode_blocks(Chunk chunk, const Blocks<MutableBytes>& out) override {
    for_each_block(out, chunk.count,
                   [&](std::size_t start, std::size_t count, MutableBytes floats, MutableBytes codes) {
                     const std::span<const float> block = chunk.floats().subspan(start, count);
                     const float largest = kernels::max_abs(block);
                     std::memcpy(floats.data(), &largest, sizeof(largest));
                     dynamic_tree::encode(block, largest, reinterpret_cast<std::uint8_t*>(codes.data()));
                   });
  }

  void add_blocks(const Blocks<Bytes>& in, float scale, std::span<float> out) const override {
    for_each_block(in, out.size(), [&](std::size_t start, std::size_t count, Bytes floats, Bytes codes) {
      float largest = 0;
      std::memcpy(&largest, floats.data(), sizeof(largest));
      dynamic_tree::add(reinterpret_cast<const std::uint8_t*>(codes.data()), largest, scale, out.subspan(start, count));
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
