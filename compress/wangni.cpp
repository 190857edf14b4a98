#include <array>
#include <limits>
#include <numeric>

#include "compress/entries.hpp"
#include "compress/kernels.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

constexpr int kRescalings = 2;
constexpr std::size_t kBlock = 1024;

/// Σ|x| over the values below `bound`, and how many are not.
struct Split {
  double sum = 0;
  std::size_t saturated = 0;
};

Split split_at(std::span<const float> values, float bound) noexcept {
  // Additions of one lane wait for each other; those of eight do not.
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::array<std::size_t, kLanes> saturated{};
  const auto add = [&](float value, std::size_t lane) {
    const float magnitude = std::fabs(value);
    saturated[lane] += static_cast<std::size_t>(magnitude >= bound);
    sums[lane] += static_cast<double>(magnitude >= bound ? 0.0F : magnitude);
  };
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) add(values[i + lane], lane);
  }
  for (; i < values.size(); ++i) add(values[i], 0);
  return {std::accumulate(sums.begin(), sums.end(), 0.0),
          std::accumulate(saturated.begin(), saturated.end(), std::size_t{0})};
}

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
      const Split split = split_at(values.floats(), certain_);
      const double left = budget - static_cast<double>(split.saturated);
      if (!(left > 0) || !(split.sum > 0)) break;
      const double lower = std::min(split.sum / left, static_cast<double>(std::numeric_limits<float>::max()));
      if (lower >= static_cast<double>(certain_)) break;
      certain_ = static_cast<float>(lower);
    }
  }
  void pick(Chunk run, SparseVector& out) override {
    std::array<std::uint32_t, kBlock> words{};
    for (std::size_t at = 0; at < run.count; at += kBlock) {
      const std::span<const float> block = run.floats().subspan(at, std::min(kBlock, run.count - at));
      kernels::random_words(own_, run.offset + at, std::span(words).first(block.size()));
      append_kept(block, at, out, [&](std::size_t i, float& value) {
        const float magnitude = std::fabs(value);
        // 31 bits, so that small probabilities are not rounded away; 1 itself may come out.
        const float uniform = static_cast<float>(static_cast<std::int32_t>(words[i] >> 1)) * 0x1p-31F;
        value = std::copysign(std::max(magnitude, certain_), value);
        return (uniform * certain_ < magnitude) | (magnitude >= certain_);
      });
    }
  }
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
  return make_sparse({.name = "wangni.1",
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
