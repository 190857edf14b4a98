#pragma once

#include <array>
#include <string_view>

#include "compress/codec.hpp"

namespace gossamer {

/// Of linear codecs whose vectors may be rounded on the way.
inline constexpr Key kWireKey{"wire", "fp32", "type in which the vectors travel: fp32, fp16 or bf16"};

/// The codec that the value of kWireKey names.
inline std::string_view wire_of(const Options& options) {
  constexpr std::array<std::string_view, 3> kWires = {"identity", "fp16", "bf16"};
  return kWires[options.choice(kWireKey.name, {"fp32", "fp16", "bf16"})];
}

}  // namespace gossamer
