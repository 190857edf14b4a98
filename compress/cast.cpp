#include "compress/dense.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"

namespace gossamer {
namespace {

/// Payload: u64 count, then 2 bytes per value.
class Cast final : public DenseCodec {
 public:
  Cast(DType half, std::string_view name) noexcept : DenseCodec(name), half_(half) {}

 private:
  [[nodiscard]] std::size_t body_bytes(std::size_t count) const noexcept override { return 2 * count; }
  void encode_body(Chunk chunk, ByteWriter& body) override {
    kernels::narrow(half_, chunk.floats(), body.take(body_bytes(chunk.count)));
  }
  void add_body(ByteReader& body, float scale, Chunk out) const override {
    kernels::add_widened(half_, body.take(body_bytes(out.count)), scale, out.floats());
  }

  DType half_;
};

}  // namespace

CodecEntry fp16_entry() noexcept {
  return {.name = "fp16",
          .summary = "float16, to nearest even; |x| > 65504 becomes 65504, never infinity",
          .error_feedback = false,
          .error = 0x1p-11,
          .make = [](const Options&, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Cast>(DType::float16, "fp16.1");
          }};
}

CodecEntry bf16_entry() noexcept {
  return {.name = "bf16",
          .summary = "bfloat16, to nearest even; finite values stay finite",
          .error_feedback = false,
          .error = 0x1p-8,
          .make = [](const Options&, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Cast>(DType::bfloat16, "bf16.1");
          }};
}

}  // namespace gossamer
