#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "compress/entries.hpp"
#include "compress/integer_sum.hpp"
#include "compress/kernels.hpp"
#include "compress/levels.hpp"

namespace gossamer {
namespace {

/// TernGrad (Wen et al., "TernGrad: ternary gradients to reduce communication in distributed deep learning", NeurIPS
/// 2017) with scaler sharing. While it comes from one rank, a code is a base-3 digit.
class TernGrad final : public SharedScaleSum {
 public:
  TernGrad(double clip, std::size_t count)
      : SharedScaleSum("terngrad.3", {"terngrad", {2, 1, 1}, 0, 0, integer::Form::base3, false}, count), clip_(clip) {}

 private:
  /// The largest value after clipping.
  float magnitude(std::span<const float> values) override {
    const kernels::Moments moments = kernels::moments(values, values[0]);
    const auto count = static_cast<double>(values.size());
    const double mean = moments.sum / count;
    const double sigma = std::sqrt(std::max(0.0, moments.sum_of_squares / count - mean * mean));
    // Equal values have no deviation to be clipped by; clipping them to it would send nothing for ever.
    const auto bound = static_cast<float>(clip_ * sigma);
    bound_ = bound > 0.0F ? bound : std::numeric_limits<float>::infinity();
    return std::min(moments.max_abs, bound_);
  }

  [[nodiscard]] float unit_of(std::uint64_t offset, std::size_t) const override { return maximum_at(offset); }

  void quantise(const Piece& piece, std::uint8_t* digits) const override {
    const Int8Scale steps = int8_steps(piece.unit);
    // This rank's clipping may be narrower than the scale, another's largest value.
    const float limit = bound_ < piece.unit ? bound_ * steps.lift * steps.inverse : 1.0F;
    kernels::quantise_stochastic(rounding_of(piece), {steps, -limit, limit, 1}, digits);
  }

  double clip_;
  float bound_ = std::numeric_limits<float>::infinity();
};

constexpr std::array kKeys = {
    Key{"clip", "2.5", "values are clipped to this many standard deviations, 0 to 1000; 0 clips nothing"},
};

}  // namespace

CodecEntry terngrad_entry() noexcept {
  return {.name = "terngrad",
          .summary = "-1, 0 or 1 times one scale that all ranks share; sums are exact integers",
          .error_feedback = false,
          .error = 2.5,  // variance |x|(max - |x|) < 6 x^2
          .keys = kKeys,
          .make = [](const Options& options, const Shape& shape) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<TernGrad>(options.real("clip", 0.0, 1000.0), shape.count());
          }};
}

}  // namespace gossamer
