#pragma once

#include <memory>
#include <string_view>

#include "compress/codec.hpp"
#include "compress/selection.hpp"
#include "compress/sparse_payload.hpp"

/// Sparse methods by composition: a selection, a value coder, an index coder, and a way to form partial sums.
namespace gossamer {

/// The keys of sparse methods, to be put into a method's table.
inline constexpr Key kRatioKey = {"ratio", "0.01", "share of the elements that is kept, in (0, 1]"};
inline constexpr Key kValuesKey = {
    "values", "fp32",
    "how values are written: fp32, fp16, bf16, int8 (a scale per 256), log4 (powers of two) or sign (and the mean "
    "magnitude); sums of merge=union: fp32"};
inline constexpr Key kIndicesKey = {"indices", "auto",
                                    "how positions are written: raw, bitpack, golomb, bitmap or auto (the smallest)"};
constexpr Key merge_key(std::string_view fallback) noexcept {
  return {"merge", fallback, "partial sums: union (every rank's choice, exact) or reselect (the largest of each sum)"};
}
inline constexpr Alternative kMergeWays[] = {{"union", "merge", "union"}, {"reselect", "merge", "reselect"}};

/// What those keys say.
ValueFormat read_values(const Options& options);
std::optional<IndexCoder> read_indices(const Options& options);
bool read_reselect(const Options& options);

/// What makes one sparse method.
struct SparseMethod {
  std::string_view name;  ///< with the layout's version
  SparseCoders coders;
  std::unique_ptr<Selection> selection;
};

/// What both ways of reducing share: the payload, its decoding and its size.
template <class Base>
class SparseCodec : public Base, public Sparse {
 public:
  explicit SparseCodec(SparseMethod method) noexcept : method_(std::move(method)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return method_.name; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override { method_.selection->reset(); }
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override;
  void accumulate(Bytes payload, float scale, Chunk out) const override;
  [[nodiscard]] std::size_t entries(Bytes payload, std::size_t count) const override {
    return SparsePayload::parse(payload, count).entries;
  }
  [[nodiscard]] std::size_t typical_own(std::size_t count, double density) const noexcept override {
    return estimate(density, method_.coders.values, count);
  }
  [[nodiscard]] std::size_t typical_union(std::size_t count, double density) const noexcept override {
    return estimate(density, ValueFormat(), count);
  }

 protected:
  /// Payload bytes of `density` of `count` elements.
  [[nodiscard]] std::size_t estimate(double density, ValueFormat values, std::size_t count) const noexcept;
  /// The payload of what the selection keeps of a chunk.
  [[nodiscard]] Bytes encode_chosen(Chunk chunk, MutableBytes slot);
  void set_context(const StepContext& context) noexcept { context_ = context; }
  [[nodiscard]] const StepContext& context() const noexcept { return context_; }
  [[nodiscard]] bool keeps_all() const noexcept { return method_.selection->share() >= 1; }
  /// The entries that the last payload was written from, if the selection was asked for them.
  [[nodiscard]] const SparseVector& chosen() const noexcept { return chosen_; }
  [[nodiscard]] const SparseMethod& method() const noexcept { return method_; }
  [[nodiscard]] MergeScratch& scratch() const noexcept { return scratch_; }

 private:
  SparseMethod method_;
  StepContext context_;
  SparseVector chosen_;
  mutable MergeScratch scratch_;
};

extern template class SparseCodec<Codec>;
extern template class SparseCodec<MergeableCodec>;

/// Each rank chooses once, of its whole tensor; partial sums are unions of the ranks' choices.
class SparseUnion : public SparseCodec<MergeableCodec> {
 public:
  using SparseCodec::SparseCodec;

  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return typical_sum(count, 4); }
  [[nodiscard]] std::size_t typical_sum(std::size_t count, int contributions) const noexcept override;
  [[nodiscard]] bool surveys() const noexcept override { return method().selection->surveys(); }
  void begin(Chunk tensor, const StepContext& context) override;
  Bytes encode(Chunk chunk, MutableBytes slot) override { return encode_chosen(chunk, slot); }
  Bytes merge(Bytes a, Bytes b, std::size_t count, MutableBytes slot) const override;
};

/// Every partial sum is chosen from anew.
class SparseReselect : public SparseCodec<Codec> {
 public:
  using SparseCodec::SparseCodec;

  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override;
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext& context) override { set_context(context); }
  Bytes encode(Chunk chunk, MutableBytes slot) override;
};

/// The codec of a method.
std::unique_ptr<TensorCodec> make_sparse(SparseMethod method, bool reselect);

}  // namespace gossamer
