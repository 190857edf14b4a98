#include <array>

#include "compress/entries.hpp"
#include "compress/linear_levels.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"levels", "4", "levels of each sign: 2^(1-levels), … 1/2, 1 of the norm, 1 to 7"},
    Key{"bucket", "512", "values that share a norm, 1 to 1048576; 0: the whole tensor"},
    Key{"norm", "max", "what scales a bucket: max, the largest |x|, or l2"},
};

/// Natural dithering (Horváth, Ho, Horváth, Sahu, Canini, Richtárik, "Natural compression for distributed deep
/// learning", MSML 2022; arXiv 2019), with norms that are the largest of all ranks'. Powers of two are integers on the
/// grid of the smallest, where they add.
std::unique_ptr<TensorCodec> make_natural_dithering(const Options& options, const Shape& shape) {
  LevelPlan plan;
  plan.name = "natural_dithering.2";
  plan.codec = "natural_dithering";
  plan.levels = 1U << (options.integer("levels", 1, 7) - 1);
  plan.below = plan.levels;
  plan.block = static_cast<std::size_t>(options.integer("bucket", 0, 1 << 20));
  plan.norm = options.choice("norm", {"max", "l2"}) == 0 ? Norm::max : Norm::l2;
  plan.rounding = Rounding::natural;
  return make_linear_levels(plan, shape.count());
}

}  // namespace

CodecEntry natural_dithering_entry() noexcept {
  return {.name = "natural_dithering",
          .summary = "powers of two of each bucket's shared norm, rounded without bias; sums are exact integers",
          .error_feedback = false,
          .error = 5,  // one level, one bucket: variance below max|x| ||x||_1, max|x| < 6 deviations
          .keys = kKeys,
          .make = make_natural_dithering};
}

}  // namespace gossamer
