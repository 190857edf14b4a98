#include <algorithm>
#include <array>
#include <bit>

#include "compress/balanced.hpp"
#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

/// max(1, ⌊ratio · count⌋)
std::size_t share_of(std::size_t count, double ratio) noexcept {
  return std::max<std::size_t>(1, static_cast<std::size_t>(ratio * static_cast<double>(count)));
}

/// The largest key that pick_above() takes for a bound below `magnitude`, 0 for 0.
std::uint32_t key_below(float magnitude) noexcept {
  const std::uint32_t key = key_of(magnitude);
  return key - (key > 0 ? 1 : 0);
}

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
  static constexpr std::size_t kFloats = 2;

  /// `state`: kFloats, zeros at first.
  ReusedThreshold(double ratio, std::size_t period, std::span<float> state) noexcept
      : exact_(ratio, KeptCount::down), period_(period), threshold_(state[0]), age_(state[1]) {}

  [[nodiscard]] double share() const noexcept override { return exact_.share(); }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void survey(Chunk values, const StepContext& context) override {
    above_ = key_below(threshold_ * context.input_scale);
    reusing_ = age_ > 0 && age_ < static_cast<float>(period_) && fits(values);
    age_ = reusing_ ? age_ + 1 : 1;
    if (reusing_) return;
    exact_.survey(values, context);
    threshold_ = exact_.smallest() / context.input_scale;
  }
  void pick(Chunk run, SparseVector& out) override {
    reusing_ ? pick_above(run.floats(), above_, 0, out) : exact_.pick(run, out);
  }
  void reset() override {
    exact_.reset();
    reusing_ = false;
  }

 private:
  [[nodiscard]] bool fits(Chunk values) const noexcept {
    const auto k = static_cast<double>(share_of(values.count, exact_.share()));
    const auto kept = static_cast<double>(count_above(values.floats(), above_));
    return 3 * kept >= 2 * k && 4 * kept <= 5 * k;
  }

  TopKSelection exact_;
  std::size_t period_;
  float& threshold_;  ///< the k-th largest magnitude, in the units of the input
  float& age_;        ///< calls since it was found, that one included; 0: never
  std::uint32_t above_ = 0;
  bool reusing_ = false;
};

/// Where large sums lie, which all ranks know from the last result: it is the same everywhere. Gives parts their
/// borders, and their owners shares of the k entries that travel back.
class Landscape {
 public:
  static constexpr std::size_t kFloats = 1024;

  /// `state`: kFloats, zeros at first.
  explicit Landscape(std::span<float> state) noexcept : counts_(state) {}

  /// Before a call. `entries`: k.
  void survey(std::size_t count, std::size_t entries, const RandomStream& shared) noexcept {
    count_ = static_cast<double>(std::max<std::size_t>(count, 1));
    entries_ = static_cast<double>(entries);
    start_ = static_cast<double>(shared.words(0)[0]) * 0x1p-32;
    for (std::size_t i = 0; i < kFloats; ++i) before_[i + 1] = before_[i] + static_cast<double>(counts_[i]);
  }
  /// See Balanced. Three quarters of what is divided evenly are the last result's large sums and one is the elements,
  /// so that a part has at most 4/3 of its even share of those, and at most four times its even length.
  [[nodiscard]] std::size_t border(std::size_t start, std::size_t length, std::size_t index,
                                   std::size_t parts) const noexcept {
    const double first = large_before(start);
    const double large = large_before(start + length) - first;
    const double wanted = static_cast<double>(index) / static_cast<double>(parts);
    std::size_t low = 0;
    for (std::size_t high = length; low < high;) {
      const std::size_t middle = low + (high - low) / 2;
      const double even = static_cast<double>(middle) / static_cast<double>(length);
      const double share = large > 0 ? mixed((large_before(start + middle) - first) / large, even) : even;
      if (share < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return start + low;
  }
  /// How many entries of elements [start, start + length) may travel back: k in all, however the tensor is cut.
  [[nodiscard]] std::size_t quota(std::size_t start, std::size_t length) const noexcept {
    return entries_before(start + length) - entries_before(start);
  }
  /// The larger half of a result's entries show where more are to be had.
  void learn(std::span<const float> result) {
    found_.clear();
    pick_above(result, 0, 0, found_);
    std::fill(counts_.begin(), counts_.end(), 0.0F);
    if (found_.size() == 0) return;
    keys_.resize(found_.size());
    std::transform(found_.values().begin(), found_.values().end(), keys_.begin(), key_of);
    const std::uint32_t median = nth_largest(keys_, keys_.size() / 2);
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (key_of(found_.values()[i]) >= median) counts_[bucket_of(found_.indices()[i])] += 1;
    }
  }

 private:
  static constexpr double kLargeWeight = 1 - 1.0 / Balanced::kLongest;

  static double mixed(double large, double even) noexcept { return kLargeWeight * large + (1 - kLargeWeight) * even; }
  [[nodiscard]] std::size_t bucket_of(std::size_t element) const noexcept {
    return std::min(static_cast<std::size_t>(static_cast<double>(element) / count_ * kFloats), kFloats - 1);
  }
  [[nodiscard]] double large_before(std::size_t element) const noexcept {
    const std::size_t bucket = bucket_of(element);
    const double inside = static_cast<double>(element) / count_ * kFloats - static_cast<double>(bucket);
    return before_[bucket] + std::min(inside, 1.0) * static_cast<double>(counts_[bucket]);
  }
  [[nodiscard]] std::size_t entries_before(std::size_t element) const noexcept {
    const double even = static_cast<double>(element) / count_;
    const double share = before_.back() > 0 ? mixed(large_before(element) / before_.back(), even) : even;
    return static_cast<std::size_t>(entries_ * share + start_);
  }

  std::span<float> counts_;  ///< of large sums in equal runs of the tensor
  double count_ = 1;
  double entries_ = 0;
  double start_ = 0;  ///< in [0, 1): which part gets the entry that several have a claim to differs from call to call
  std::array<double, kFloats + 1> before_{};  ///< sums of counts_
  SparseVector found_;
  std::vector<std::uint32_t> keys_;
};

/// Ok-Topk (Li & Hoefler, "Near-optimal sparse allreduce for distributed deep learning", PPoPP 2022): each rank's
/// largest are summed by the owners of the tensor's parts, of which each has about as many of them; of the sums the
/// largest travel back.
class OkTopK final : public SparseUnion, public Finisher, public Balanced {
 public:
  static constexpr std::size_t kFloats = ReusedThreshold::kFloats + Landscape::kFloats;

  /// `state`: kFloats, of which the first are those of the method's selection.
  OkTopK(SparseMethod method, double ratio, std::unique_ptr<std::vector<float>> state)
      : SparseUnion(std::move(method)),
        ratio_(ratio),
        state_(std::move(state)),
        landscape_(std::span(*state_).subspan(ReusedThreshold::kFloats)) {}

  [[nodiscard]] std::span<float> state() noexcept override { return *state_; }
  void reset() override {
    SparseUnion::reset();
    std::fill(state_->begin(), state_->end(), 0.0F);
  }
  void begin(Chunk tensor, const StepContext& context) override {
    SparseUnion::begin(tensor, context);
    landscape_.survey(tensor.count, share_of(tensor.count, ratio_), context.shared);
  }
  [[nodiscard]] std::size_t border(std::size_t start, std::size_t length, std::size_t index,
                                   std::size_t parts) const noexcept override {
    return landscape_.border(start, length, index, parts);
  }
  void learn(std::span<const float> result) override { landscape_.learn(result); }
  Bytes finish(Bytes sum, Chunk part, MutableBytes slot) override {
    const SparsePayload payload = SparsePayload::parse(sum, part.count);
    values_.assign(part.count, 0.0F);
    accumulate_payload(payload, 1, values_, scratch().a);
    kept_.clear();
    largest_.choose(values_, keeps_all() ? part.count : landscape_.quota(part.offset, part.count));
    largest_.pick(values_, 0, kept_);
    return write_sparse(kept_, part.count, method().coders, slot);
  }

 private:
  double ratio_;
  std::unique_ptr<std::vector<float>> state_;
  Landscape landscape_;
  Selector largest_;
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
  auto state = std::make_unique<std::vector<float>>(OkTopK::kFloats);
  SparseMethod method{
      .name = "oktopk.2",
      .coders = {read_values(options), read_indices(options)},
      .selection = std::make_unique<ReusedThreshold>(ratio, period, std::span(*state).first(ReusedThreshold::kFloats))};
  return std::make_unique<OkTopK>(std::move(method), ratio, std::move(state));
}

}  // namespace

CodecEntry oktopk_entry() noexcept {
  return {.name = "oktopk",
          .summary =
              "the largest values by a threshold that is reused, and of their sums those above one of all ranks; parts "
              "balanced",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make};
}

}  // namespace gossamer
