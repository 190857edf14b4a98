#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

/// Sparse ternary compression: Sattler et al., "Robust and communication-efficient federated learning from non-i.i.d.
/// data", TNNLS 2019. Its authors compress both ways, up and down; here every partial sum is.
constexpr Key kKeys[] = {
    {"ratio", "0.0025", "share of the elements that is kept, in (0, 1]"},
    {"indices", "golomb", kIndicesKey.meaning},
    merge_key("reselect"),
};
constexpr Alternative kWays[] = {kMergeWays[1], kMergeWays[0]};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const bool reselect = read_reselect(options);
  const double ratio = options.real_above("ratio", 0, 1);
  return make_sparse(
      {.name = "stc.1",
       .coders = {ValueCoder::sign, read_indices(options)},
       .selection = std::make_unique<TopKSelection>(ratio, reselect ? KeptCount::nearest : KeptCount::down)},
      reselect);
}

}  // namespace

CodecEntry stc_entry() noexcept {
  return {.name = "stc",
          .summary = "the positions and signs of the largest values, and their mean magnitude",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .alternatives = kWays,
          .make = make};
}

}  // namespace gossamer
