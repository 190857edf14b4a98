#include <algorithm>
#include <cmath>

#include "compress/codec.hpp"
#include "compress/entries.hpp"
#include "compress/selector.hpp"
#include "compress/sparse_payload.hpp"

namespace gossamer {
namespace {

constexpr std::string_view kName = "topk.1";

struct TopKOptions {
  double ratio;
  SparseCoders coders;
};

TopKOptions read_options(const Options& options) {
  TopKOptions read{};
  read.ratio = options.real_above("ratio", 0, 1);
  read.coders.values = static_cast<ValueCoder>(options.choice("values", {"fp32", "fp16", "bf16", "int8"}));
  const std::size_t indices = options.choice("indices", {"auto", "raw", "bitpack", "golomb", "bitmap"});
  if (indices > 0) read.coders.indices = static_cast<IndexCoder>(indices - 1);
  return read;
}

/// What both ways of reducing share: the payload and its decoding.
template <class Base>
class TopKCodec : public Base {
 public:
  explicit TopKCodec(const TopKOptions& options) noexcept : ratio_(options.ratio), coders_(options.coders) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kName; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override { selector_.reset(); }
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override {
    return max_sparse_payload(coders_.values, count);
  }
  void accumulate(Bytes payload, float scale, Chunk out) const override {
    accumulate_payload(SparsePayload::parse(payload, out.count), scale, out.floats(), scratch_.a);
  }

 protected:
  /// Payload bytes of `share` of `count` elements.
  [[nodiscard]] std::size_t estimate(double share, ValueCoder values, std::size_t count) const noexcept {
    const double value = static_cast<double>(value_bytes(values, kValueBlock)) / kValueBlock;
    const double index = (1.5 + std::log2(1 / share)) / 8;  // about what Golomb's code takes
    const auto bytes = static_cast<std::size_t>(share * static_cast<double>(count) * (value + index));
    return std::min(kSparseHeaderBytes + bytes, max_payload(count));
  }
  [[nodiscard]] Bytes encode_chosen(std::span<const float> values, std::size_t offset, MutableBytes slot) {
    if (ratio_ == 1) return write_dense(values, coders_.values, slot);
    chosen_.clear();
    selector_.pick(values, offset, chosen_);
    return write_sparse(chosen_, values.size(), coders_, slot);
  }

  double ratio_;
  SparseCoders coders_;
  Selector selector_;
  SparseVector chosen_;
  mutable MergeScratch scratch_;
};

/// The k = max(1, floor(ratio · d)) largest of the whole tensor; partial sums are unions.
class TopKUnion final : public TopKCodec<MergeableCodec> {
 public:
  using TopKCodec::TopKCodec;

  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return typical_sum(count, 4); }
  [[nodiscard]] std::size_t typical_sum(std::size_t count, int contributions) const noexcept override {
    // Ranks choose independently of each other.
    const double density = 1 - std::pow(1 - ratio_, contributions);
    return estimate(density, contributions == 1 ? coders_.values : ValueCoder::fp32, count);
  }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void begin(Chunk tensor, const StepContext&) override {
    if (ratio_ == 1) return;
    const double k = std::floor(ratio_ * static_cast<double>(tensor.count));
    selector_.choose(tensor.floats(), std::max<std::size_t>(1, static_cast<std::size_t>(k)));
  }
  Bytes encode(Chunk chunk, MutableBytes slot) override { return encode_chosen(chunk.floats(), chunk.offset, slot); }
  Bytes merge(Bytes a, Bytes b, std::size_t count, MutableBytes slot) const override {
    return merge_payloads(SparsePayload::parse(a, count), SparsePayload::parse(b, count), coders_.indices, scratch_,
                          slot);
  }
};

/// The max(1, round(ratio · count)) largest of each partial sum of `count` elements.
class TopKReselect final : public TopKCodec<Codec> {
 public:
  using TopKCodec::TopKCodec;

  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override {
    return estimate(ratio_, coders_.values, count);
  }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext&) override {}
  Bytes encode(Chunk chunk, MutableBytes slot) override {
    if (ratio_ < 1) {
      const double k = std::round(ratio_ * static_cast<double>(chunk.count));
      selector_.choose(chunk.floats(), std::max<std::size_t>(1, static_cast<std::size_t>(k)));
    }
    return encode_chosen(chunk.floats(), 0, slot);
  }
};

constexpr Key kKeys[] = {
    {"ratio", "0.01", "share of the elements that is kept, in (0, 1]"},
    {"values", "fp32", "how values are written: fp32, fp16, bf16 or int8 (a scale per 256); sums of merge=union: fp32"},
    {"indices", "auto", "how positions are written: raw, bitpack, golomb, bitmap or auto (the smallest)"},
    {"merge", "union", "partial sums: union (every rank's choice, exact) or reselect (the largest of each sum)"},
};

constexpr Alternative kWays[] = {{"union", "merge", "union"}, {"reselect", "merge", "reselect"}};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const TopKOptions read = read_options(options);
  if (options.choice("merge", {"union", "reselect"}) == 0) return std::make_unique<TopKUnion>(read);
  return std::make_unique<TopKReselect>(read);
}

}  // namespace

CodecEntry topk_entry() noexcept {
  return {.name = "topk",
          .summary = "the largest values of the tensor with their positions; unions of ranks' choices, or chosen anew",
          .error_feedback = true,
          .needs_matrix = false,
          .error = 1,
          .keys = kKeys,
          .alternatives = kWays,
          .make = make};
}

}  // namespace gossamer
