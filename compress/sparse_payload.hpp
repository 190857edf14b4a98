#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "compress/indices.hpp"
#include "compress/sparse_vector.hpp"
#include "compress/values.hpp"
#include "lib/base/bytes.hpp"

/// The payload of every sparse method: which elements of a chunk, and their values.
///
/// Layout, little-endian: uint32 elements of the chunk, uint32 entries, uint8 value coder, uint8 index coder or
/// kDense, uint8 levels of the value coder `levels` (0 for others), uint8 zero; the values; the indices. The dense form
/// has an entry for every element, zeros included, and no indices; it is chosen when it is not larger. Packed values
/// have no zero: unless every element has an entry, the dense form is of fp32. All decoding checks every length, count
/// and index before use and throws `corrupt`.
namespace gossamer {

inline constexpr std::size_t kSparseHeaderBytes = 12;
inline constexpr std::uint8_t kDense = 255;

/// The coders to write with; no index coder: the smallest each time.
struct SparseCoders {
  ValueFormat values;
  std::optional<IndexCoder> indices;
};

/// Upper bound on the bytes of a payload of `elements` elements, merged or not.
std::size_t max_sparse_payload(ValueFormat format, std::size_t elements) noexcept;

/// A payload whose header and lengths have been checked; its indices have not. Refers to the payload's memory.
struct SparsePayload {
  std::size_t elements = 0;
  std::size_t entries = 0;
  ValueFormat format;
  bool dense = false;
  IndexCoder index_coder = IndexCoder::raw;  ///< of a sparse payload
  Bytes values;
  Bytes indices;

  /// Throws `corrupt` unless the payload is one of `elements` elements.
  static SparsePayload parse(Bytes payload, std::size_t elements);
};

/// Each returns the payload written at the start of `slot`, which has max_sparse_payload() bytes. Values are finite,
/// and prepared by round_values() for a packed format. Throws `unsupported` for more than 2^32 - 1 elements.
Bytes write_sparse(const SparseVector& entries, std::size_t elements, const SparseCoders& coders, MutableBytes slot);
Bytes write_dense(std::span<const float> values, ValueFormat format, MutableBytes slot);

/// The entries of a sparse (not dense) payload.
void read_entries(const SparsePayload& payload, SparseVector& entries);

/// out += scale · decode(payload). `scratch` holds the indices meanwhile.
void accumulate_payload(const SparsePayload& payload, float scale, std::span<float> out, SparseVector& scratch);

/// Memory that merge_payloads() works in, kept between calls.
struct MergeScratch {
  SparseVector a;
  SparseVector b;
  SparseVector sum;
};

/// The payload of decode(a) + decode(b), in `slot`, which overlaps neither. Sums are written as fp32 whatever the value
/// coders of a and b, so that nothing is lost but by the one float addition on common elements.
Bytes merge_payloads(const SparsePayload& a, const SparsePayload& b, std::optional<IndexCoder> indices,
                     MergeScratch& scratch, MutableBytes slot);

}  // namespace gossamer
