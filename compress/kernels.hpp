#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "compress/rounding.hpp"
#include "lib/base/bytes.hpp"
#include "lib/base/dtype.hpp"
#include "lib/base/philox.hpp"

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
/// values *= scale; whether every result is finite.
bool rescale(DType type, MutableBytes values, double scale) noexcept;
/// Whether no value is NaN or infinite.
bool all_finite(DType type, Bytes values) noexcept;
inline bool all_finite(std::span<const float> values) noexcept {
  return all_finite(DType::float32, std::as_bytes(values));
}

/// Largest |x|, 0 for no values; infinite or NaN when some value is.
float max_abs(std::span<const float> values) noexcept;

/// Sums about `shift` (so that a large mean costs no precision), in double, and the largest |x|, in one pass.
struct Moments {
  double sum = 0.0;             ///< Σ (x − shift)
  double sum_of_squares = 0.0;  ///< Σ (x − shift)²
  float max_abs = 0.0F;
};
Moments moments(std::span<const float> values, float shift) noexcept;

/// float → float16 or bfloat16, to nearest even. Finite values beyond the type's range become its largest value, never
/// infinity; NaN and infinities stay. `out` has 2 · in.size() bytes.
void narrow(DType half, std::span<const float> in, MutableBytes out) noexcept;
/// out += scale · in, where `in` holds out.size() values of type `half`.
void add_widened(DType half, Bytes in, float scale, std::span<float> out) noexcept;

/// Where blocks of linear int8 codes live: one float scale per `block` values, one byte per value.
struct Int8Blocks {
  std::size_t block = 256;
  MutableBytes scales;  ///< 4 · ceil(count / block) bytes
  MutableBytes codes;   ///< count bytes
};
/// Codes round(x / scale) with scale = max|x| / 127 per block, so |x − code · scale| ≤ scale / 2 up to float rounding,
/// at any magnitude, denormals included. A block with a value that is not finite gets scale NaN and codes 0.
void quantise_int8(std::span<const float> in, const Int8Blocks& out) noexcept;
/// The same with one of the two codes around x / scale, unbiased to 2^-24 of a step.
void quantise_int8_stochastic(const RoundingSource& source, const Int8Blocks& out) noexcept;
/// out += scale · code · block scale.
void add_int8(Bytes scales, Bytes codes, std::size_t block, float scale, std::span<float> out) noexcept;

/// Word i is the one of element first + i: stream.words(e / 4)[e % 4] for element e.
void random_words(const RandomStream& stream, std::uint64_t first, std::span<std::uint32_t> out) noexcept;

namespace reference {

float max_abs(std::span<const float> values) noexcept;
Moments moments(std::span<const float> values, float shift) noexcept;
void narrow(DType half, std::span<const float> in, MutableBytes out) noexcept;
void add_widened(DType half, Bytes in, float scale, std::span<float> out) noexcept;
void quantise_int8(std::span<const float> in, const Int8Blocks& out) noexcept;
void add_int8(Bytes scales, Bytes codes, std::size_t block, float scale, std::span<float> out) noexcept;

void add_scaled(DType type, MutableBytes out, Bytes in, double scale) noexcept;
bool rescale(DType type, MutableBytes values, double scale) noexcept;
bool all_finite(DType type, Bytes values) noexcept;
double sum_of_squares(std::span<const float> values) noexcept;

}  // namespace reference
}  // namespace gossamer::kernels
