#include <algorithm>
#include <bit>
#include <cmath>

#include "compress/entries.hpp"
#include "compress/selector.hpp"
#include "compress/signed_counts.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

/// Guess of the share of elements beyond the threshold: only the data knows it.
constexpr double kTypicalShare = 0.01;

/// sum = a + b without the counts that have become 0.
void add_counts(const SparseVector& a, const SparseVector& b, SparseVector& sum) {
  add_sparse(a, b, sum);
  std::size_t left = 0;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum.indices()[left] = sum.indices()[i];
    sum.values()[left] = sum.values()[i];
    left += sum.values()[i] != 0 ? 1 : 0;
  }
  sum.resize(left);
}

/// Strom, "Scalable distributed DNN training using commodity GPU cloud computing", Interspeech 2015: ±tau for every
/// value beyond it, the rest stays for later. Partial sums count quanta, so that hops add integers.
class Strom final : public MergeableCodec {
 public:
  Strom(double tau, std::optional<IndexCoder> indices) noexcept : tau_(tau), indices_(indices) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "strom.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override { return max_counts_payload(count); }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return typical_sum(count, 4); }
  [[nodiscard]] std::size_t typical_sum(std::size_t count, int contributions) const noexcept override {
    const double density = 1 - std::pow(1 - kTypicalShare, contributions);
    const double bits = 2 + std::log2(1 / kTypicalShare) + 1 + std::log2(contributions);
    const auto bytes = static_cast<std::size_t>(density * static_cast<double>(count) * bits / 8);
    return std::min(kCountsHeaderBytes + bytes, max_payload(count));
  }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext& context) override {
    const auto tau = static_cast<float>(tau_ * static_cast<double>(context.input_scale));
    units_ = {1, tau, tau};
  }
  Bytes encode(Chunk chunk, MutableBytes slot) override {
    chosen_.clear();
    pick_above(chunk.floats(), key_of(units_.up), 0, chosen_);
    for (float& value : chosen_.values()) value = std::copysign(1.0F, value);
    return write_counts(chosen_, chunk.count, units_, indices_, slot);
  }
  void accumulate(Bytes payload, float scale, Chunk out) const override {
    accumulate_counts(CountsPayload::parse(payload, out.count), scale, out.floats(), scratch_.a);
  }
  Bytes merge(Bytes a, Bytes b, std::size_t count, MutableBytes slot) const override {
    const CountsPayload left = CountsPayload::parse(a, count);
    const CountsPayload right = CountsPayload::parse(b, count);
    for (const float unit : {left.units.down, right.units.up, right.units.down}) {
      if (unit != left.units.up) {
        fail(Status::corrupt, "strom payloads have different quanta, ", left.units.up, " and ", unit);
      }
    }
    CountUnits units = left.units;
    units.contributions += right.units.contributions;
    if (units.contributions > kMaxContributions) {
      fail(Status::corrupt, "strom payloads sum to ", units.contributions, " contributions; ", kMaxContributions,
           " are possible");
    }
    read_counts(left, scratch_.a);
    read_counts(right, scratch_.b);
    add_counts(scratch_.a, scratch_.b, scratch_.sum);
    if (!std::isfinite(units.up * static_cast<float>(units.contributions))) {
      fail(Status::corrupt, "strom payloads sum ", units.contributions, " quanta of ", units.up);
    }
    return write_counts(scratch_.sum, count, units, indices_, slot);
  }

 private:
  double tau_;
  std::optional<IndexCoder> indices_;
  CountUnits units_;
  SparseVector chosen_;
  mutable MergeScratch scratch_;
};

constexpr Key kKeys[] = {
    {"tau", "0.01", "values beyond it are sent, as this much of them, in the units of the input; 1e-30 to 1e30"},
    kIndicesKey,
};

}  // namespace

CodecEntry strom_entry() noexcept {
  return {.name = "strom",
          .summary = "a quantum of the values that exceed it, with their positions; sums are exact integers",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Strom>(options.real("tau", 1e-30, 1e30), read_indices(options));
          }};
}

}  // namespace gossamer
