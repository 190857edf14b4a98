#include <array>
#include <cmath>

#include "compress/by_exponent.hpp"
#include "compress/dense.hpp"
#include "compress/entries.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"bound", "10", "magnitudes below 2^-bound become zero, others are off by at most half of that; 2 to 12"},
};

/// INCEPTIONN (Li et al., "A network-centric hardware/algorithm co-design to accelerate distributed training of deep
/// neural networks", MICRO 2018): what a value takes depends on its exponent.
///
/// Body: float unit, the tags, the values (by_exponent.hpp).
class Inceptionn final : public DenseCodec {
 public:
  explicit Inceptionn(int bound) noexcept : DenseCodec("inceptionn.2"), rule_(bound) {}

  void begin(Chunk, const StepContext& context) override { unit_ = context.input_scale; }

 private:
  [[nodiscard]] std::size_t body_bytes(std::size_t count) const noexcept override {
    return sizeof(float) + by_exponent::tag_bytes(count) + by_exponent::kBytesOf.back() * count;
  }
  [[nodiscard]] std::size_t typical_body(std::size_t count) const noexcept override {
    return sizeof(float) + by_exponent::tag_bytes(count) + count;
  }

  void encode_body(Chunk chunk, ByteWriter& body) override {
    body.put(unit_);
    const MutableBytes tags = body.take(by_exponent::tag_bytes(chunk.count));
    body.take(by_exponent::encode(chunk.floats(), unit_, rule_, tags, body.room().data()));
  }

  void add_body(ByteReader& body, float scale, Chunk out) const override {
    const auto unit = body.get<float>();
    if (!(unit > 0.0F) || !std::isfinite(unit)) fail(Status::corrupt, "inceptionn payload has a unit of ", unit);
    const Bytes tags = body.take(by_exponent::tag_bytes(out.count));
    const Bytes values = body.take(by_exponent::value_bytes(tags, out.count));
    if (!by_exponent::add({tags, values, unit}, rule_, scale, out.floats())) {
      fail(Status::corrupt, "inceptionn payload has a value that is not finite");
    }
  }

  by_exponent::Rule rule_;
  float unit_ = 1.0F;
};

}  // namespace

CodecEntry inceptionn_entry() noexcept {
  return {.name = "inceptionn",
          .summary = "no, one, two or four bytes for a value, by its exponent; the error has a fixed bound",
          .error_feedback = false,
          .error = 0.25,  // of the coarsest bound: what is below a quarter
          .keys = kKeys,
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Inceptionn>(static_cast<int>(options.integer("bound", 2, 12)));
          }};
}

}  // namespace gossamer
