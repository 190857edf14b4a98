#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "lib/base/dtype.hpp"

namespace gossamer {

/// out = decode(encode(in)) of one codec alone, as one rank and without error feedback; returns the encoded size in
/// bytes. `in` and `out` have shape.count() values and may be the same. Throws `argument`, `numeric`.
std::size_t apply_codec(std::string_view spec, std::span<const float> in, std::span<float> out, const Shape& shape,
                        std::uint64_t seed);

}  // namespace gossamer
