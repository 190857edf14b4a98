#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kLeastSample = 1024;

/// Aji & Heafield, "Sparse communication for distributed gradient descent", EMNLP 2017: the values that reach a
/// quantile of |x|, which a sample estimates.
class SampledQuantileSelection final : public Selection {
 public:
  SampledQuantileSelection(double ratio, double sample) noexcept : ratio_(ratio), sample_share_(sample) {}

  [[nodiscard]] double share() const noexcept override { return ratio_; }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void survey(Chunk values, const StepContext&) override {
    const auto wanted = static_cast<std::size_t>(sample_share_ * static_cast<double>(values.count));
    sample_.draw(values.floats(), std::min(std::max(wanted, kLeastSample), values.count));
    // What equals the quantile is kept too: a constant tensor would stay behind for ever. Zeros are not.
    const std::uint32_t quantile = sample_.upper_quantile(ratio_);
    above_ = quantile == 0 ? 0 : quantile - 1;
  }
  void pick(Chunk run, SparseVector& out) override { pick_above(run.floats(), above_, 0, out); }
  void reset() override { above_ = 0; }

 private:
  double ratio_;
  double sample_share_;
  std::uint32_t above_ = 0;
  MagnitudeSample sample_;
};

constexpr Key kKeys[] = {
    kRatioKey,
    {"sample", "0.01", "share of the elements that the threshold is estimated from, in (0, 1]; at least 1024 elements"},
    kValuesKey,
    kIndicesKey,
    merge_key("union"),
};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const double ratio = options.real_above("ratio", 0, 1);
  const double sample = options.real_above("sample", 0, 1);
  return make_sparse({.name = "aji.1",
                      .coders = {read_values(options), read_indices(options)},
                      .selection = std::make_unique<SampledQuantileSelection>(ratio, sample)},
                     read_reselect(options));
}

}  // namespace

CodecEntry aji_entry() noexcept {
  return {.name = "aji",
          .summary = "the values beyond a quantile of the magnitudes, estimated from a sample, with their positions",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .alternatives = kMergeWays,
          .make = make};
}

}  // namespace gossamer
