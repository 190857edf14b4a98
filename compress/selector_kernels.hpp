#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// The hot loops of selection by magnitude, compiled for every instruction set and chosen at run time.
///
/// A *key* is a float's bits without the sign: an integer that sorts as |x| does, zeros and subnormals included,
/// whatever the floating-point mode of the thread.
namespace gossamer::kernels {

inline constexpr std::uint32_t kMaxKey = 0x7fffffff;
/// Whole vectors are stored: this many elements of memory must follow the last one that counts.
inline constexpr std::size_t kStoreSlack = 64;

/// Where picked entries go: room for as many as there are values, and kStoreSlack.
struct PickedEntries {
  std::uint32_t* indices = nullptr;
  float* values = nullptr;
};

/// Where the keys of a tensor lie relative to two bounds.
struct BracketCount {
  std::size_t at_least_low = 0;
  std::size_t at_least_high = 0;
  std::size_t above_high = 0;
  std::size_t between = 0;  ///< low < key < high
  bool fits = true;         ///< false: there was no room for all keys in between, and the counts are void
};

/// Counts keys against low ≤ high ≤ kMaxKey and copies those strictly between into `between`, in order of position.
/// values.size() + kStoreSlack elements of room always suffice.
BracketCount count_bracket(std::span<const float> values, std::uint32_t low, std::uint32_t high,
                           std::span<std::uint32_t> between) noexcept;

/// Copies the values whose key is above `above`, and their positions plus `first_index`, in order; how many. Both
/// outputs have room for values.size() + kStoreSlack elements.
std::size_t pick_above(std::span<const float> values, std::uint32_t above, std::uint32_t first_index,
                       std::uint32_t* indices, float* picked) noexcept;

/// The position just behind the `nth` value (from 1) with this key; values.size() when there are fewer.
std::size_t end_of_nth_equal(std::span<const float> values, std::uint32_t key, std::size_t nth) noexcept;

}  // namespace gossamer::kernels
