#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/base/bytes.hpp"

/// Base-3 digits, five to a byte, in groups of up to 320.
namespace gossamer::ternary {

constexpr std::size_t kGroup = 320;  ///< digits: 64 bytes

/// Bytes of `count` digits, in groups of kGroup.
constexpr std::size_t trit_bytes(std::size_t count) noexcept {
  return count / kGroup * (kGroup / 5) + (count % kGroup + 4) / 5;
}

/// Up to kGroup digits 0 … 2 as B bytes: byte j holds digits j, j + B, … j + 4B, lowest power of 3 first. 5 · B digits
/// are read.
void pack(const std::uint8_t* digits, MutableBytes out) noexcept;
/// The 5 · B digits of B ≤ kGroup / 5 bytes; false when a byte is not five digits.
bool unpack(Bytes trits, std::uint8_t* digits) noexcept;

}  // namespace gossamer::ternary
