#include "compress/entries.hpp"
#include "compress/momentum_union.hpp"

namespace gossamer {
namespace {

/// Sparse gradient compression: Sun et al., "Sparse gradient compression for distributed SGD", DASFAA 2019. One buffer
/// is both the momentum and what has not been sent: it decays by the momentum factor, and what is sent leaves it.
constexpr Key kKeys[] = {
    kRatioKey,
    {"momentum", "0.9", "factor by which what is not sent decays in each call, 0 to 0.9999"},
    kValuesKey,
    kIndicesKey,
};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape& shape) {
  MomentumRule rule;
  rule.momentum = static_cast<float>(options.real("momentum", 0, 0.9999));
  const double ratio = options.real_above("ratio", 0, 1);
  SparseMethod method{.name = "sgc.1",
                      .coders = {read_values(options), read_indices(options)},
                      .selection = std::make_unique<TopKSelection>(ratio, KeptCount::down)};
  return std::make_unique<MomentumUnion>(std::move(method), rule, shape.count());
}

}  // namespace

CodecEntry sgc_entry() noexcept {
  return {.name = "sgc",
          .summary = "the largest values of one buffer that is both momentum and memory of what was not sent",
          .error_feedback = false,
          .error = 1,
          .keys = kKeys,
          .make = make};
}

}  // namespace gossamer
