#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

constexpr Key kKeys[] = {kRatioKey, kValuesKey, kIndicesKey, merge_key("union")};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const bool reselect = read_reselect(options);
  const double ratio = options.real_above("ratio", 0, 1);
  return make_sparse(
      {.name = "topk.1",
       .coders = {read_values(options), read_indices(options)},
       .selection = std::make_unique<TopKSelection>(ratio, reselect ? KeptCount::nearest : KeptCount::down)},
      reselect);
}

}  // namespace

CodecEntry topk_entry() noexcept {
  return {.name = "topk",
          .summary = "the largest values of the tensor with their positions; unions of ranks' choices, or chosen anew",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .alternatives = kMergeWays,
          .make = make};
}

}  // namespace gossamer
