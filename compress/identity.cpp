#include <limits>

#include "compress/codec.hpp"
#include "compress/entries.hpp"
#include "compress/half.hpp"
#include "compress/kernels.hpp"

namespace gossamer {
namespace {

class Identity final : public InPlaceCodec {
 public:
  explicit Identity(DType type) noexcept : type_(type) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "identity.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}

  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override { return count * size_of(type_); }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return max_payload(count); }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext&) override {}

  Bytes encode(Chunk chunk, MutableBytes) override { return bytes_of(chunk); }

  void accumulate(Bytes payload, float scale, Chunk out) const override {
    check_size(payload, out);
    kernels::add_scaled(type_, bytes_of(out), payload, scale);
  }

  bool rescale(double scale, Chunk values) const override { return kernels::rescale(type_, bytes_of(values), scale); }

  void mark_nonfinite(Chunk values) const noexcept override {
    if (values.count == 0) return;
    switch (type_) {
      case DType::float32:
        values.as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
        break;
      case DType::float64:
        values.as<double>()[0] = std::numeric_limits<double>::quiet_NaN();
        break;
      case DType::float16:
        values.as<std::uint16_t>()[0] = 0x7e00;
        break;
      case DType::bfloat16:
        values.as<std::uint16_t>()[0] = 0x7fc0;
        break;
    }
  }

  // An infinite first value makes its segment just as unfit.
  [[nodiscard]] bool marked_nonfinite(Chunk values) const noexcept override {
    if (values.count == 0) return false;
    return !kernels::all_finite(type_, bytes_of(values).first(size_of(type_)));
  }

 private:
  [[nodiscard]] MutableBytes bytes_of(Chunk chunk) const noexcept { return {chunk.data, chunk.count * size_of(type_)}; }
  void check_size(Bytes payload, Chunk values) const {
    if (payload.size() == bytes_of(values).size()) return;
    fail(Status::corrupt, "identity payload has ", payload.size(), " bytes; ", values.count, " values of ",
         name_of(type_), " are ", bytes_of(values).size());
  }

  DType type_;
};

}  // namespace

CodecEntry identity_entry() noexcept {
  return {.name = "identity",
          .summary = "the values themselves, in the tensor's own type; sums are exact in that type",
          .error_feedback = false,
          .error = 0,
          .make = [](const Options&, const Shape& shape) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Identity>(shape.dtype);
          }};
}

}  // namespace gossamer
