#pragma once

#include <string_view>

#include "compress/integer_sum.hpp"

namespace gossamer {

enum class Norm { l2, max };
/// To the nearest integer; to one of the two around it without bias; to one of the two powers of two around it (or 0)
/// without bias.
enum class Rounding { nearest, stochastic, natural };

/// Integers −below … above times unit = share · norm / levels, where the norm is the largest of all ranks' in a block:
/// QSGD, linear int8, the clipped lattice and natural dithering.
struct LevelPlan {
  std::string_view name;   ///< with the layout's version
  std::string_view codec;  ///< for error sentences
  unsigned levels = 127;   ///< what share · norm is mapped to, up to 127
  unsigned below = 127;    ///< levels or one more
  std::size_t block = 0;   ///< values that share a norm; 0: all
  Norm norm = Norm::max;
  double share = 1.0;
  Rounding rounding = Rounding::stochastic;
  double elias = 0.0;  ///< share of the planes' bytes that Elias codes may take to be written; 0: never
};

std::unique_ptr<TensorCodec> make_linear_levels(const LevelPlan& plan, std::size_t tensor_count);

/// A block's norm as a float that no value exceeds.
float norm_of(Norm norm, std::span<const float> values) noexcept;

}  // namespace gossamer
