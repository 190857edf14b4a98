#pragma once

#include "transport/transport.hpp"

/// One function per transport folder; `registry.cpp` lists them.
namespace gossamer {

TransportEntry inproc_entry() noexcept;
TransportEntry ucx_entry() noexcept;

}  // namespace gossamer
