#include "compress/linear_levels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "compress/kernels.hpp"
#include "compress/levels.hpp"

namespace gossamer {
namespace {

/// Mean size of the codes of normal values: levels · |x| / norm.
double mean_code(const LevelPlan& plan, std::size_t tensor_count) noexcept {
  const std::size_t block = plan.block == 0 ? tensor_count : std::min(plan.block, tensor_count);
  const double values = std::max(1.0, static_cast<double>(block));
  const double norm = plan.norm == Norm::l2 ? std::sqrt(values) : std::sqrt(2 * std::log(2 * values));
  return plan.levels * std::sqrt(2 / std::numbers::pi) / (plan.share * norm);
}

integer::Format format_of(const LevelPlan& plan, std::size_t tensor_count) noexcept {
  return {.codec = plan.codec,
          .lattice = {plan.below + plan.levels, plan.below, 1},
          .block = plan.block,
          .elias = plan.elias,
          .mean = mean_code(plan, tensor_count)};
}

class LinearLevels final : public SharedScaleSum {
 public:
  LinearLevels(const LevelPlan& plan, std::size_t tensor_count)
      : SharedScaleSum(plan.name, format_of(plan, tensor_count), tensor_count),
        levels_(static_cast<float>(plan.levels)),
        below_(static_cast<float>(plan.below)),
        norm_(plan.norm),
        share_(static_cast<float>(plan.share)),
        rounding_(plan.rounding) {}

 private:
  float magnitude(std::span<const float> block) override { return norm_of(norm_, block); }

  [[nodiscard]] float unit_of(std::uint64_t offset, std::size_t) const override {
    return int8_scale(maximum_at(offset) * share_, levels_).scale;
  }

  void quantise(const Piece& piece, std::uint8_t* digits) const override {
    const kernels::LevelRule rule{int8_steps(piece.unit), -below_, levels_, static_cast<std::uint8_t>(below_)};
    if (rounding_ == Rounding::nearest) return kernels::quantise_nearest(piece.values, rule, digits);
    const auto quantise = rounding_ == Rounding::natural ? kernels::quantise_natural : kernels::quantise_stochastic;
    quantise(rounding_of(piece), rule, digits);
  }

  float levels_;
  float below_;
  Norm norm_;
  float share_;
  Rounding rounding_;
};

}  // namespace

std::unique_ptr<TensorCodec> make_linear_levels(const LevelPlan& plan, std::size_t tensor_count) {
  return std::make_unique<LinearLevels>(plan, tensor_count);
}

float norm_of(Norm norm, std::span<const float> values) noexcept {
  if (norm == Norm::max) return kernels::max_abs(values);
  const double length = std::sqrt(kernels::sum_of_squares(values));
  return static_cast<float>(std::min(length, static_cast<double>(std::numeric_limits<float>::max())));
}

}  // namespace gossamer
