#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/bytes.hpp"

namespace gossamer {

/// How the positions of a payload's entries are written; the numbers are part of the payload layout. Positions are
/// strictly ascending and below the element count of the chunk, which is below 2^32.
enum class IndexCoder : std::uint8_t {
  raw = 0,      ///< 32 bits each
  bitpack = 1,  ///< ceil(log2(elements)) bits each
  /// Gaps by Golomb's code with a power of two as divisor (Golomb, IEEE Trans. Inf. Theory 12, 1966; Rice, JPL 79-22,
  /// 1979), the best one for equally likely positions (Sattler et al., "Robust and communication-efficient federated
  /// learning from non-i.i.d. data", TNNLS 2019): one byte with the remainder's bits, then for each gap
  /// quotient zeros, a one, the remainder.
  golomb = 2,
  bitmap = 3,  ///< one bit per element of the chunk
};
inline constexpr std::uint8_t kIndexCoders = 4;

/// Exactly the bytes of `indices` among `elements`.
std::size_t index_bytes(IndexCoder coder, std::span<const std::uint32_t> indices, std::size_t elements) noexcept;

/// The coder with the fewest bytes; of equals the one with the smaller number.
IndexCoder smallest_index_coder(std::span<const std::uint32_t> indices, std::size_t elements) noexcept;

/// `out` has index_bytes(...) bytes.
void encode_indices(IndexCoder coder, std::span<const std::uint32_t> indices, std::size_t elements, MutableBytes out);

/// Fills `indices` from all of `in`. Throws `corrupt` when the bytes are too few or too many, or hold positions that
/// are not strictly ascending and below `elements`.
void decode_indices(IndexCoder coder, Bytes in, std::size_t elements, std::span<std::uint32_t> indices);

/// Bits of the remainder in the golomb coder for `count` of `elements` positions:
/// 1 + floor(log2(ln(phi - 1) / ln(1 - count/elements))), not below 0.
unsigned golomb_bits(std::size_t count, std::size_t elements) noexcept;

}  // namespace gossamer
