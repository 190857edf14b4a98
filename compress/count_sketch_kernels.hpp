#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// The hot loops of the count-sketch, compiled for every instruction set and chosen at run time. A *place* is a column
/// in the lower 31 bits and a sign in the highest.
namespace gossamer::kernels {

inline constexpr std::uint32_t kPlaceSign = 0x80000000;

/// out[i] = the place that hash high ^ low[i] ^ sum[i] means: its highest bit the sign, the others as a fraction of
/// `columns` < 2^31. All three spans have the same size.
void sketch_places(std::uint32_t high, std::span<const std::uint32_t> low, std::span<const std::uint32_t> sum,
                   std::uint32_t columns, std::span<std::uint32_t> out) noexcept;
/// out[i] = the cell at places[i], with the sign there.
void read_places(std::span<const float> cells, std::span<const std::uint32_t> places, std::span<float> out) noexcept;
/// a[i], b[i] = the smaller, the larger of them. Finite.
void order_pairs(std::span<float> a, std::span<float> b) noexcept;

}  // namespace gossamer::kernels
