#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/bytes.hpp"
#include "lib/base/dtype.hpp"

/// The hot loops, compiled for every instruction set and chosen at run time. No kernel allocates or throws; spans may
/// have any alignment; two spans of one call overlap only where said. `reference` holds the same functions in plain
/// scalar C++.
namespace gossamer::kernels {

/// out += in. Same sizes.
void add(std::span<float> out, std::span<const float> in) noexcept;
/// Sum of x², in double.
double sum_of_squares(std::span<const float> values) noexcept;

/// Elements of any type as bytes: `out` and `in` have the same size, a multiple of size_of(type). float16 and bfloat16
/// compute in float and round to nearest even; a float16 sum beyond 65504 becomes infinite.
/// out += scale · in.
void add_scaled(DType type, MutableBytes out, Bytes in, double scale) noexcept;
/// out = (out + in) · scale; whether every result is finite.
bool add_then_scale(DType type, MutableBytes out, Bytes in, double scale) noexcept;
/// values *= scale; whether every result is finite.
bool rescale(DType type, MutableBytes values, double scale) noexcept;
/// Whether no value is NaN or infinite.
bool all_finite(DType type, Bytes values) noexcept;
inline bool all_finite(std::span<const float> values) noexcept {
  return all_finite(DType::float32, std::as_bytes(values));
}

namespace reference {

void add_scaled(DType type, MutableBytes out, Bytes in, double scale) noexcept;
bool add_then_scale(DType type, MutableBytes out, Bytes in, double scale) noexcept;
bool rescale(DType type, MutableBytes values, double scale) noexcept;
bool all_finite(DType type, Bytes values) noexcept;
double sum_of_squares(std::span<const float> values) noexcept;

}  // namespace reference
}  // namespace gossamer::kernels
