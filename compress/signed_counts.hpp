#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "compress/indices.hpp"
#include "compress/sparse_vector.hpp"
#include "lib/base/bytes.hpp"

/// Payloads of sparse signed counts, in units: what adds up without loss as long as the units are the same.
///
/// Layout, little-endian: uint32 elements of the chunk, uint32 entries, uint32 contributions t, float unit of positive
/// counts, float unit of negative ones, uint8 index coder or kDenseCounts, three zero bytes; the codes, low bits first,
/// the last byte filled up with zeros; the indices. A count c from -t to t other than 0 has the code c + t, less 1 if
/// it is positive, in the bits that 2t codes need. The dense form has a code c + t for every element, 0 included, in
/// the bits that 2t + 1 codes need, and no indices; it is chosen when it is not larger.
namespace gossamer {

inline constexpr std::size_t kCountsHeaderBytes = 24;
inline constexpr std::uint8_t kDenseCounts = 255;
inline constexpr std::uint32_t kMaxContributions = 65535;

struct CountUnits {
  std::uint32_t contributions = 1;  ///< counts are at most this in size
  float up = 0.0F;                  ///< what a positive count is a multiple of
  float down = 0.0F;                ///< what a negative count is a multiple of; not negative itself

  [[nodiscard]] float value(float count) const noexcept { return count * (count > 0 ? up : down); }
};

/// Upper bound on the bytes of a payload for `elements` elements, of any number of contributions.
std::size_t max_counts_payload(std::size_t elements) noexcept;

/// The payload of `counts`, integers that are not 0, written at the start of `slot` (max_counts_payload() bytes). No
/// index coder: the smallest. Throws `unsupported` for more than 2^32 - 1 elements.
Bytes write_counts(const SparseVector& counts, std::size_t elements, const CountUnits& units,
                   std::optional<IndexCoder> indices, MutableBytes slot);

/// A payload whose header and lengths have been checked; its codes and indices have not. Refers to its memory.
struct CountsPayload {
  CountUnits units;
  std::size_t elements = 0;
  std::size_t entries = 0;
  bool dense = false;
  IndexCoder index_coder = IndexCoder::raw;
  Bytes codes;
  Bytes indices;

  /// Throws `corrupt` unless the payload is one of `elements` elements.
  static CountsPayload parse(Bytes payload, std::size_t elements);
};

/// The counts that are not 0, as floats, which hold them exactly.
void read_counts(const CountsPayload& payload, SparseVector& counts);

/// out += scale · decode(payload). `scratch` holds the counts meanwhile.
void accumulate_counts(const CountsPayload& payload, float scale, std::span<float> out, SparseVector& scratch);

}  // namespace gossamer
