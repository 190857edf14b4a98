#pragma once

#include "compress/codec.hpp"

/// The registry: every codec, in the order of `gossamer info`. A new one is a line here and a source file that defines
/// <name>_entry().
#define GOSSAMER_CODECS(X) \
  X(identity)              \
  X(fp16)                  \
  X(bf16)                  \
  X(fp8)                   \
  X(int8)                  \
  X(natural)               \
  X(efsign)                \
  X(onebit)                \
  X(three_lc)              \
  X(dettmers8)             \
  X(inceptionn)            \
  X(terngrad)              \
  X(qsgd)                  \
  X(natural_dithering)     \
  X(lpc)                   \
  X(thc)                   \
  X(signsgd)               \
  X(signum)                \
  X(topk)                  \
  X(threshold)             \
  X(aji)                   \
  X(dgc)                   \
  X(sgc)                   \
  X(variance)              \
  X(stc)                   \
  X(qsparse)               \
  X(wangni)                \
  X(gtopk)                 \
  X(oktopk)                \
  X(strom)                 \
  X(dryden)                \
  X(sketchml)              \
  X(randomk)               \
  X(randomblock)           \
  X(sketch)                \
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
