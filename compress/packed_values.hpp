#pragma once

#include "compress/sparse_vector.hpp"
#include "compress/values.hpp"
#include "lib/base/philox.hpp"

namespace gossamer {

/// Where the randomness of an entry comes from: its element of the tensor.
struct EntryDraws {
  RandomStream own;
  std::size_t offset = 0;  ///< element that index 0 is

  /// Uniform in [0, 1) with 24 bits.
  [[nodiscard]] float uniform(std::uint32_t index) const noexcept {
    const std::uint64_t element = offset + index;
    return to_unit(own.words(element / 4)[element % 4]);
  }
};

/// Replaces the values of `entries`, none of them zero, by what the format's packed coder can write, and returns its
/// unit; plain coders leave them alone.
///
/// - `sign` (Karimireddy et al., ICML 2019; Sattler et al., TNNLS 2019): the mean magnitude with each value's sign.
/// - `log4` (Tsuzuku et al., ICLR 2018 workshop): the nearest power of two; entries that fall below 2^-7 of the largest
///   are removed.
/// - `levels` (Alistarh et al., NeurIPS 2017, scaled by the largest magnitude): multiples of unit = max / levels, up
///   or down at random so that the mean is the value.
float round_values(ValueFormat format, SparseVector& entries, const EntryDraws& draws) noexcept;

/// The packed coders' part of value_bytes(), encode_values() and decode_values().
std::size_t packed_bytes(ValueFormat format, std::size_t count) noexcept;
void pack_values(ValueFormat format, std::span<const float> values, MutableBytes out);
void unpack_values(ValueFormat format, Bytes in, std::size_t first, std::span<float> values);

}  // namespace gossamer
