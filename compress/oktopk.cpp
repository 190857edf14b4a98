#include <algorithm>
#include <array>
#include <bit>

#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

/// How many of a tensor's keys are larger.
std::size_t count_above(std::span<const float> values, std::uint32_t above) noexcept {
  std::size_t count = 0;
  constexpr std::size_t kBlock = 4096;  // within which 32 bits can count
  for (std::size_t at = 0; at < values.size(); at += kBlock) {
    std::uint32_t here = 0;
    for (const float value : values.subspan(at, std::min(kBlock, values.size() - at))) {
      here += static_cast<std::int32_t>(key_of(value)) > static_cast<std::int32_t>(above) ? 1U : 0U;
    }
    count += here;
  }
  return count;
}

/// The k largest, exactly, every `period` calls; in between what exceeds the threshold that was found then, as long as
/// that keeps 2k/3 to 5k/4 values.
class ReusedThreshold final : public Selection {
 public:
  ReusedThreshold(double ratio, std::size_t period) noexcept : exact_(ratio, KeptCount::down), period_(period) {}

  [[nodiscard]] double share() const noexcept override { return exact_.share(); }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void survey(Chunk values, const StepContext& context) override {
    const float threshold = state_[kThreshold] * context.input_scale;
    above_ = key_of(threshold) - (key_of(threshold) > 0 ? 1 : 0);
    reusing_ = state_[kAge] > 0 && state_[kAge] < static_cast<float>(period_) && fits(values);
    state_[kAge] = reusing_ ? state_[kAge] + 1 : 1;
    if (reusing_) return;
    exact_.survey(values, context);
    state_[kThreshold] = exact_.smallest() / context.input_scale;
  }
  void pick(Chunk run, SparseVector& out) override {
    reusing_ ? pick_above(run.floats(), above_, 0, out) : exact_.pick(run, out);
  }
  void reset() override {
    exact_.reset();
    state_ = {};
    reusing_ = false;
  }
  [[nodiscard]] std::span<float> state() noexcept { return state_; }

 private:
  static constexpr std::size_t kThreshold = 0;  ///< the k-th largest magnitude, in the units of the input
  static constexpr std::size_t kAge = 1;        ///< calls since it was found, that one included; 0: never

  [[nodiscard]] bool fits(Chunk values) const noexcept {
    const double k = std::max(1.0, std::floor(exact_.share() * static_cast<double>(values.count)));
    const auto kept = static_cast<double>(count_above(values.floats(), above_));
    return 3 * kept >= 2 * k && 4 * kept <= 5 * k;
  }

  TopKSelection exact_;
  std::size_t period_;
  std::array<float, 2> state_{};
  std::uint32_t above_ = 0;
  bool reusing_ = false;
};

/// Ok-Topk (Li & Hoefler, "Near-optimal sparse allreduce for distributed deep learning", PPoPP 2022): each rank's
/// largest are summed by the owners of the tensor's parts, and of the sums the largest travel back.
class OkTopK final : public SparseUnion, public Finisher {
 public:
  OkTopK(SparseMethod method, ReusedThreshold& local, double ratio)
      : SparseUnion(std::move(method)), local_(local), largest_(ratio, KeptCount::nearest) {}

  [[nodiscard]] std::span<float> state() noexcept override { return local_.state(); }
  /// An owner's share: max(1, round(ratio · count)) of its part.
  Bytes finish(Bytes sum, std::size_t count, MutableBytes slot) override {
    const SparsePayload payload = SparsePayload::parse(sum, count);
    values_.assign(count, 0.0F);
    accumulate_payload(payload, 1, values_, scratch().a);
    const Chunk part{reinterpret_cast<std::byte*>(values_.data()), count, 0};
    largest_.survey(part, {});
    kept_.clear();
    largest_.pick(part, kept_);
    return write_sparse(kept_, count, method().coders, slot);
  }

 private:
  ReusedThreshold& local_;  ///< the method's selection
  TopKSelection largest_;
  std::vector<float> values_;
  SparseVector kept_;
};

constexpr Key kKeys[] = {
    kRatioKey,
    {"period", "32", "calls that use a threshold before it is found anew, 1 to 1000000"},
    kValuesKey,
    kIndicesKey,
};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const double ratio = options.real_above("ratio", 0, 1);
  const auto period = static_cast<std::size_t>(options.integer("period", 1, 1000000));
  auto selection = std::make_unique<ReusedThreshold>(ratio, period);
  ReusedThreshold& local = *selection;
  SparseMethod method{
      .name = "oktopk.1", .coders = {read_values(options), read_indices(options)}, .selection = std::move(selection)};
  return std::make_unique<OkTopK>(std::move(method), local, ratio);
}

}  // namespace

CodecEntry oktopk_entry() noexcept {
  return {.name = "oktopk",
          .summary = "the largest values by a threshold that is reused, and of their sums the largest again",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make};
}

}  // namespace gossamer
