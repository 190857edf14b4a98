#include <array>

#include "compress/entries.hpp"
#include "compress/linear_levels.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"bits", "4", "bits of a code, -2^(bits-1) to 2^(bits-1) - 1, 2 to 8"},
    Key{"clip", "0.5", "share of the largest |x| that the codes reach to, above 0 to 1; 1 clips nothing"},
};

/// The clipped lattice of LPC-SVRG (Yu, Wu, Huang, "Exploring fast and communication-efficient algorithms in
/// large-scale distributed networks", AISTATS 2019), with a step that all ranks share.
std::unique_ptr<TensorCodec> make_lpc(const Options& options, const Shape& shape) {
  LevelPlan plan;
  plan.name = "lpc.2";
  plan.codec = "lpc";
  plan.below = 1U << (options.integer("bits", 2, 8) - 1);
  plan.levels = plan.below - 1;
  plan.share = options.real_above("clip", 0.0, 1.0);
  return make_linear_levels(plan, shape.count());
}

}  // namespace

CodecEntry lpc_entry() noexcept {
  return {.name = "lpc",
          .summary = "a low-precision lattice whose range is clipped to part of the largest value",
          .error_feedback = false,
          .error = 2.5,  // two bits, unclipped: variance |x|(max - |x|) < 6 x^2
          .keys = kKeys,
          .make = make_lpc};
}

}  // namespace gossamer
