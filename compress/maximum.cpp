#include "compress/maximum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gossamer {
namespace {

class Maximum final : public InPlaceCodec {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "maximum.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override { return count * sizeof(float); }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return max_payload(count); }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext&) override {}
  Bytes encode(Chunk chunk, MutableBytes) override { return std::as_bytes(chunk.floats()); }

  void accumulate(Bytes payload, float, Chunk out) const override {
    ByteReader reader(payload);
    for (float& value : out.floats()) value = std::max(value, reader.get<float>());
    reader.expect_end();
  }

  bool rescale(double scale, Chunk values) const override {
    for (float& value : values.floats()) value *= static_cast<float>(scale);
    return true;
  }
  void mark_nonfinite(Chunk values) const noexcept override {
    if (values.count > 0) values.floats()[0] = std::numeric_limits<float>::quiet_NaN();
  }
  [[nodiscard]] bool marked_nonfinite(Chunk values) const noexcept override {
    return values.count > 0 && !std::isfinite(values.floats()[0]);
  }
};

}  // namespace

std::unique_ptr<InPlaceCodec> make_maximum() {
  return std::make_unique<Maximum>();
}

}  // namespace gossamer
