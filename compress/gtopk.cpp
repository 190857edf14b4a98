#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

constexpr Key kKeys[] = {kRatioKey, kValuesKey, kIndicesKey};

/// Global top-k (Shi, Wang, Zhao, Tang, Wang, Tang, Chu, "A distributed synchronous SGD algorithm with global top-k
/// sparsification for low bandwidth networks", ICDCS 2019): partial sums are cut down to the largest again at every
/// hop. Who drops keeps, so that no mass is lost on the way.
std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const double ratio = options.real_above("ratio", 0, 1);
  return make_sparse({.name = "gtopk.1",
                      .coders = {read_values(options), read_indices(options)},
                      .selection = std::make_unique<TopKSelection>(ratio, KeptCount::nearest)},
                     true);
}

}  // namespace

CodecEntry gtopk_entry() noexcept {
  return {.name = "gtopk",
          .summary = "the largest values of every partial sum with their positions: as many at the end as at the start",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make};
}

}  // namespace gossamer
