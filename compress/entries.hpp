#pragma once

#include "compress/codec.hpp"

/// The registry: every codec, in the order of `gossamer info`. A new one is a line here and a source file that defines
/// <name>_entry().
#define GOSSAMER_CODECS(X) \
  X(identity)              \
  X(fp16)                  \
  X(bf16)                  \
  X(int8)                  \
  X(terngrad)              \
  X(topk)                  \
  X(powersgd)              \
  X(lowrank)               \
  X(gradzip)               \
  X(gradiveq)              \
  X(atomo)

namespace gossamer {

#define GOSSAMER_DECLARE(name) CodecEntry name##_entry() noexcept;
GOSSAMER_CODECS(GOSSAMER_DECLARE)
#undef GOSSAMER_DECLARE

}  // namespace gossamer
