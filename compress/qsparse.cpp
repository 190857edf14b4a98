#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

/// The operators of Basu et al., "Qsparse-local-SGD: distributed SGD with quantization, sparsification and local
/// computations", NeurIPS 2019: the largest values, quantised at random to a few levels (QTop_k) or to their signs
/// (SignTop_k).
constexpr Key kKeys[] = {
    kRatioKey,
    {"values", "levels", "how values are written: levels (multiples of the largest / levels) or sign (and the mean)"},
    {"levels", "7", "levels above zero, 1 to 127; a value takes 1 + ceil(log2(levels + 1)) bits"},
    kIndicesKey,
    merge_key("union"),
};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  const bool reselect = read_reselect(options);
  const double ratio = options.real_above("ratio", 0, 1);
  const auto levels = static_cast<std::uint8_t>(options.integer("levels", 1, kMaxLevels));
  const bool signs = options.choice("values", {"levels", "sign"}) == 1;
  const ValueFormat format = signs ? ValueFormat(ValueCoder::sign) : ValueFormat(ValueCoder::levels, levels);
  return make_sparse(
      {.name = "qsparse.1",
       .coders = {format, read_indices(options)},
       .selection = std::make_unique<TopKSelection>(ratio, reselect ? KeptCount::nearest : KeptCount::down)},
      reselect);
}

}  // namespace

CodecEntry qsparse_entry() noexcept {
  return {.name = "qsparse",
          .summary = "the largest values with their positions, rounded at random to a few levels or to their signs",
          .error_feedback = true,
          .error = 2.5,  // of one level: variance |x|(max - |x|) < 6 x^2
          .keys = kKeys,
          .alternatives = kMergeWays,
          .make = make};
}

}  // namespace gossamer
