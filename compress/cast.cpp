#include "compress/codec.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"

namespace gossamer {
namespace {

/// Payload: u64 count, then 2 bytes per value.
class Cast final : public Codec {
 public:
  Cast(DType half, std::string_view name) noexcept : half_(half), name_(name) {}

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}

  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override {
    return sizeof(std::uint64_t) + 2 * count;
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return max_payload(count); }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext&) override {}

  Bytes encode(Chunk chunk, MutableBytes slot) override {
    ByteWriter writer(slot);
    writer.put(std::uint64_t{chunk.count});
    kernels::narrow(half_, chunk.floats(), writer.take(2 * chunk.count));
    return writer.written();
  }

  void accumulate(Bytes payload, float scale, Chunk out) const override {
    ByteReader reader(payload);
    const auto count = reader.get<std::uint64_t>();
    if (count != out.count) {
      fail(Status::corrupt, name_, " payload is of ", count, " values; ", out.count, " were expected");
    }
    const Bytes halves = reader.take(2 * out.count);
    reader.expect_end();
    kernels::add_widened(half_, halves, scale, out.floats());
  }

 private:
  DType half_;
  std::string_view name_;
};

}  // namespace

CodecEntry fp16_entry() noexcept {
  return {.name = "fp16",
          .summary = "float16, to nearest even; |x| > 65504 becomes 65504, never infinity",
          .error_feedback = false,
          .needs_matrix = false,
          .error = 0x1p-11,
          .keys = {},
          .alternatives = {},
          .make = [](const Options&, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Cast>(DType::float16, "fp16.1");
          }};
}

CodecEntry bf16_entry() noexcept {
  return {.name = "bf16",
          .summary = "bfloat16, to nearest even; finite values stay finite",
          .error_feedback = false,
          .needs_matrix = false,
          .error = 0x1p-8,
          .keys = {},
          .alternatives = {},
          .make = [](const Options&, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Cast>(DType::bfloat16, "bf16.1");
          }};
}

}  // namespace gossamer
