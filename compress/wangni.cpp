#include <limits>

#include "compress/entries.hpp"
#include "compress/proportional.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

constexpr int kRescalings = 2;
/// Wangni et al., "Gradient sparsification for communication-efficient distributed optimization", NeurIPS 2018: x is
/// kept with probability p = min(1, |x| / t) and sent as x / p, which is ±t or x. The probabilities sum to the budget;
/// t falls in two passes, as those who cannot go beyond 1 leave budget to the others.
class ProportionalSelection final : public Selection {
 public:
  explicit ProportionalSelection(double ratio) noexcept : ratio_(ratio) {}

  [[nodiscard]] double share() const noexcept override { return ratio_; }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void survey(Chunk values, const StepContext& context) override {
    own_ = context.own;
    const double budget = std::max(1.0, ratio_ * static_cast<double>(values.count));
    certain_ = std::numeric_limits<float>::infinity();
    for (int pass = 0; pass <= kRescalings; ++pass) {
      const kernels::Split split = kernels::split_at(values.floats(), certain_);
      const double left = budget - static_cast<double>(split.reaching);
      if (!(left > 0) || !(split.sum > 0)) break;
      const double lower = std::min(split.sum / left, static_cast<double>(std::numeric_limits<float>::max()));
      if (lower >= static_cast<double>(certain_)) break;
      certain_ = static_cast<float>(lower);
    }
  }
  void pick(Chunk run, SparseVector& out) override { append_proportional(run, certain_, own_, out); }
  void reset() override { certain_ = std::numeric_limits<float>::infinity(); }

 private:
  double ratio_;
  float certain_ = std::numeric_limits<float>::infinity();  ///< t: from this magnitude on, values are kept for certain
  RandomStream own_;
};

constexpr Key kKeys[] = {
    {"ratio", "0.01", "expected share of the elements that is kept, in (0, 1]"},
    {"values", "fp32", "how values are written: fp32, fp16 or bf16; sums of merge=union: fp32"},
    kIndicesKey,
    {"merge", "union", "partial sums: union (every rank's choice, exact) or reselect (each sum at random anew)"},
};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const auto values = static_cast<ValueCoder>(options.choice("values", {"fp32", "fp16", "bf16"}));
  const double ratio = options.real_above("ratio", 0, 1);
  return make_sparse({.name = "wangni.2",
                      .coders = {values, read_indices(options)},
                      .selection = std::make_unique<ProportionalSelection>(ratio)},
                     read_reselect(options));
}

}  // namespace

CodecEntry wangni_entry() noexcept {
  return {.name = "wangni",
          .summary = "values kept at random in proportion to their magnitude, and enlarged to be right on average",
          .error_feedback = false,
          .error = 9,  // at a share of 1 %: sqrt(2 / (pi 0.01))
          .keys = kKeys,
          .alternatives = kMergeWays,
          .make = make};
}

}  // namespace gossamer
