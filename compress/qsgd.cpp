#include <array>

#include "compress/entries.hpp"
#include "compress/linear_levels.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"bits", "4", "bits of a code: 2^(bits-1) - 1 levels of each sign, 2 to 8"},
    Key{"bucket", "512", "values that share a norm, 1 to 1048576; 0: the whole tensor"},
    Key{"norm", "max", "what scales a bucket: max, the largest |x|, or l2, as in the paper's analysis"},
    Key{"coding", "auto",
        "of codes: planes, all as long; elias, runs of zeros and the rest, if shorter; auto, if half as long"},
};

/// QSGD (Alistarh et al., "QSGD: communication-efficient SGD via gradient quantization and encoding", NeurIPS 2017),
/// with norms that are the largest of all ranks', so that codes add.
std::unique_ptr<TensorCodec> make_qsgd(const Options& options, const Shape& shape) {
  LevelPlan plan;
  plan.name = "qsgd.3";
  plan.codec = "qsgd";
  plan.levels = (1U << (options.integer("bits", 2, 8) - 1)) - 1;
  plan.below = plan.levels;
  plan.block = static_cast<std::size_t>(options.integer("bucket", 0, 1 << 20));
  plan.norm = options.choice("norm", {"max", "l2"}) == 0 ? Norm::max : Norm::l2;
  constexpr double kShares[] = {0.5, 0.0, 1.0};
  plan.elias = kShares[options.choice("coding", {"auto", "planes", "elias"})];
  return make_linear_levels(plan, shape.count());
}

}  // namespace

CodecEntry qsgd_entry() noexcept {
  return {.name = "qsgd",
          .summary = "a few levels of each bucket's shared norm, rounded without bias; sums are exact integers",
          .error_feedback = false,
          .error = 5,  // two bits, one bucket: variance below max|x| ||x||_1, max|x| < 6 deviations
          .keys = kKeys,
          .make = make_qsgd};
}

}  // namespace gossamer
