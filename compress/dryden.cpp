#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "compress/entries.hpp"
#include "compress/selector.hpp"
#include "compress/signed_counts.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kBlock = 4096;
// Classes of magnitude: the upper bits of a float without its sign, 64 classes to a power of two.
constexpr unsigned kClassShift = 17;
constexpr std::size_t kClasses = std::size_t{1} << (31 - kClassShift);
// Classes are counted from where about this many times the share lies beyond. One sign may have more than its part.
constexpr double kCountedShares = 2;
constexpr std::size_t kSmallTensor = 16384;  // counted whole

struct MagnitudeClass {
  std::size_t size = 0;
  double sum = 0.0;  ///< of the magnitudes
};

/// Where the values of one sign are cut off, and the mean of those beyond.
struct Side {
  std::uint32_t above = kernels::kMaxKey;  ///< larger keys are sent
  float mean = 0.0F;
};

/// How many values of a block, or of its negative, are above 0.
template <bool negated>
std::size_t count_above_zero(std::span<const float> block) noexcept {
  std::int32_t count = 0;
  for (const float value : block) {
    const auto bits = std::bit_cast<std::int32_t>(negated ? -value : value);
    count += bits > 0 ? 1 : 0;
  }
  return static_cast<std::size_t>(count);
}

/// The first class that holds keys above `low`, which lies at the end of a class.
std::size_t first_class(std::uint32_t low) noexcept {
  return low == 0 ? 0 : (low >> kClassShift) + 1;
}

/// Whether `classes`, smallest first and complete from the one behind `low` on, hold max(1, floor(share)) values;
/// if so `side` cuts off as many whole classes as that takes.
bool cut_off(std::span<const MagnitudeClass> classes, std::uint32_t low, double share, Side& side) noexcept {
  side = {};
  if (share == 0) return true;
  const std::size_t wanted = std::max<std::size_t>(1, static_cast<std::size_t>(share));
  MagnitudeClass beyond;
  for (std::size_t cls = kClasses; cls-- > first_class(low);) {
    beyond.size += classes[cls].size;
    beyond.sum += classes[cls].sum;
    if (beyond.size < wanted) continue;
    side.above = cls == 0 ? 0 : static_cast<std::uint32_t>(cls << kClassShift) - 1;
    side.mean = static_cast<float>(beyond.sum / static_cast<double>(beyond.size));
    return true;
  }
  return false;
}

/// Dryden, Moon, Jacobs, Van Essen, "Communication quantization for data-parallel training of deep neural networks",
/// MLHPC 2016: a share of the positive values is sent as their mean, and the same share of the negative ones as theirs.
///
/// Payload: uint32 0, then a payload of counts whose units are the means (signed_counts.hpp); or, of a sum, uint32 1
/// and a sparse payload (sparse_payload.hpp), since ranks' means differ.
class Dryden final : public MergeableCodec {
 public:
  Dryden(double ratio, std::optional<IndexCoder> indices) : ratio_(ratio), indices_(indices), classes_(2 * kClasses) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "dryden.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override {
    return kKindBytes + std::max(max_counts_payload(count), max_sparse_payload(ValueCoder::fp32, count));
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return typical_sum(count, 4); }
  [[nodiscard]] std::size_t typical_sum(std::size_t count, int contributions) const noexcept override {
    const double density = 1 - std::pow(1 - ratio_, contributions);
    const double bits = 2 + std::log2(1 / ratio_) + (contributions == 1 ? 1 : 32);
    const auto bytes = static_cast<std::size_t>(density * static_cast<double>(count) * bits / 8);
    return std::min(kKindBytes + kCountsHeaderBytes + bytes, max_payload(count));
  }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void begin(Chunk tensor, const StepContext&) override {
    const std::uint32_t low = likely_low(tensor.floats());
    if (!cut(tensor.floats(), low) && low > 0) static_cast<void>(cut(tensor.floats(), 0));
  }
  Bytes encode(Chunk chunk, MutableBytes slot) override {
    pick(chunk.floats());
    for (float& value : chosen_.values()) value = std::copysign(1.0F, value);
    put_kind(kMeans, slot);
    const CountUnits units{1, up_.mean, down_.mean};
    return whole(write_counts(chosen_, chunk.count, units, indices_, slot.subspan(kKindBytes)), slot);
  }
  void accumulate(Bytes payload, float scale, Chunk out) const override {
    const Bytes rest = payload.subspan(std::min(kKindBytes, payload.size()));
    if (kind_of(payload) == kMeans) {
      accumulate_counts(CountsPayload::parse(rest, out.count), scale, out.floats(), scratch_.a);
    } else {
      accumulate_payload(SparsePayload::parse(rest, out.count), scale, out.floats(), scratch_.a);
    }
  }
  Bytes merge(Bytes a, Bytes b, std::size_t count, MutableBytes slot) const override {
    const SparsePayload left = as_values(a, count, left_);
    const SparsePayload right = as_values(b, count, right_);
    put_kind(kSum, slot);
    return whole(merge_payloads(left, right, indices_, scratch_, slot.subspan(kKindBytes)), slot);
  }

 private:
  static constexpr std::size_t kKindBytes = sizeof(std::uint32_t);
  static constexpr std::uint32_t kMeans = 0;
  static constexpr std::uint32_t kSum = 1;

  static void put_kind(std::uint32_t kind, MutableBytes slot) { ByteWriter(slot).put(kind); }
  static std::uint32_t kind_of(Bytes payload) {
    const auto kind = ByteReader(payload).get<std::uint32_t>();
    if (kind > kSum) fail(Status::corrupt, "dryden payload is of kind ", kind, "; known: 0 and 1");
    return kind;
  }
  /// The payload at the start of `slot` whose part behind the kind is `rest`.
  static Bytes whole(Bytes rest, MutableBytes slot) noexcept { return slot.first(kKindBytes + rest.size()); }

  /// chosen_ = the entries of `values` beyond their sign's cut.
  void pick(std::span<const float> values) {
    chosen_.clear();
    pick_above(values, std::min(up_.above, down_.above), 0, chosen_);
    std::size_t left = 0;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      const float value = chosen_.values()[i];
      chosen_.indices()[left] = chosen_.indices()[i];
      chosen_.values()[left] = value;
      left += key_of(value) > (value > 0 ? up_ : down_).above ? 1 : 0;
    }
    chosen_.resize(left);
  }
  /// A key below which probably nothing is sent, at the end of a class.
  std::uint32_t likely_low(std::span<const float> values) {
    if (values.size() <= kSmallTensor) return 0;
    sample_.draw(values, kSmallTensor / 4);
    const std::uint32_t cls = sample_.upper_quantile(std::min(1.0, kCountedShares * ratio_)) >> kClassShift;
    return cls == 0 ? 0 : (cls << kClassShift) - 1;
  }
  /// Cuts both signs, in one pass over the values; false if values below `low` are needed for it.
  bool cut(std::span<const float> values, std::uint32_t low) {
    std::fill(classes_.begin(), classes_.end(), MagnitudeClass{});
    std::array<std::size_t, 2> sizes{};
    for (std::size_t at = 0; at < values.size(); at += kBlock) {
      const std::span<const float> block = values.subspan(at, std::min(kBlock, values.size() - at));
      sizes[0] += count_above_zero<false>(block);
      sizes[1] += count_above_zero<true>(block);
      chosen_.clear();
      pick_above(block, low, 0, chosen_);
      for (const float value : chosen_.values()) {
        MagnitudeClass& cls = classes_[std::bit_cast<std::uint32_t>(value) >> kClassShift];
        cls.size += 1;
        cls.sum += std::abs(static_cast<double>(value));
      }
    }
    const std::span<const MagnitudeClass> classes(classes_);
    return cut_off(classes.first(kClasses), low, ratio_ * static_cast<double>(sizes[0]), up_) &&
           cut_off(classes.last(kClasses), low, ratio_ * static_cast<double>(sizes[1]), down_);
  }
  /// The payload with its values written out, in `memory` if it was of means.
  SparsePayload as_values(Bytes payload, std::size_t count, std::vector<std::byte>& memory) const {
    const std::uint32_t kind = kind_of(payload);
    const Bytes rest = payload.subspan(kKindBytes);
    if (kind == kSum) return SparsePayload::parse(rest, count);
    const CountsPayload means = CountsPayload::parse(rest, count);
    read_counts(means, scratch_.a);
    for (float& value : scratch_.a.values()) value = means.units.value(value);
    memory.resize(std::max(memory.size(), max_sparse_payload(ValueCoder::fp32, count)));
    return SparsePayload::parse(write_sparse(scratch_.a, count, {ValueCoder::fp32, IndexCoder::raw}, memory), count);
  }

  double ratio_;
  std::optional<IndexCoder> indices_;
  std::vector<MagnitudeClass> classes_;  ///< of positive values, then of negative ones
  MagnitudeSample sample_;
  Side up_;
  Side down_;
  SparseVector chosen_;
  mutable MergeScratch scratch_;
  mutable std::vector<std::byte> left_;
  mutable std::vector<std::byte> right_;
};

constexpr Key kKeys[] = {
    {"ratio", "0.01", "share of the positive values that is sent, and of the negative ones, in (0, 0.5]"},
    kIndicesKey,
};

}  // namespace

CodecEntry dryden_entry() noexcept {
  return {.name = "dryden",
          .summary = "the largest positive values as their mean, the largest negative ones as theirs, with positions",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Dryden>(options.real_above("ratio", 0, 0.5), read_indices(options));
          }};
}

}  // namespace gossamer
