#include "compress/entries.hpp"
#include "compress/shared_choice.hpp"
#include "compress/wire.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"ratio", "0.01", "share of the elements that is chosen, in (0, 1]"},
    Key{"scaled", "off", "on: values times elements per chosen element, so that the sum is unbiased; needs ef given"},
    kWireKey,
};

/// Random-k (Stich, Cordonnier, Jaggi, "Sparsified SGD with memory", NeurIPS 2018) with one choice for all ranks.
std::unique_ptr<TensorCodec> make_randomk(const Options& options, const Shape& shape) {
  const std::size_t chosen = chosen_count(options.real_above("ratio", 0, 1), shape.count());
  const bool scaled = options.flag("scaled");
  // Scaled values overshoot by more than they deliver: fed back, the error grows from call to call.
  if (scaled && !options.given("ef")) {
    fail(Status::argument,
         "codec randomk: scaled=on is unbiased without error feedback and seldom converges with it; add ef=off or "
         "ef=on");
  }
  using RandomK = SharedChoice<RandomSubset>;
  return std::make_unique<RandomK>(RandomK::Setup{"randomk.1", wire_of(options), scaled}, shape.count(), chosen);
}

}  // namespace

CodecEntry randomk_entry() noexcept {
  return {.name = "randomk",
          .summary = "values at random positions, the same on all ranks; positions need not travel",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make_randomk};
}

}  // namespace gossamer
