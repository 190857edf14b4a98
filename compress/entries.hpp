#pragma once

#include "compress/codec.hpp"

/// One function per codec source file; `registry.cpp` lists them.
namespace gossamer {

CodecEntry identity_entry() noexcept;
CodecEntry fp16_entry() noexcept;
CodecEntry bf16_entry() noexcept;
CodecEntry int8_entry() noexcept;
CodecEntry terngrad_entry() noexcept;
CodecEntry powersgd_entry() noexcept;
CodecEntry topk_entry() noexcept;

}  // namespace gossamer
