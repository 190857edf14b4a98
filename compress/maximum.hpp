#pragma once

#include <memory>

#include "compress/codec.hpp"

namespace gossamer {

/// float32 values as they are, of which "adding" takes the larger: an all-reduce with it ends with every element's
/// maximum over the ranks. Not in the registry: the library shares scales with it.
std::unique_ptr<InPlaceCodec> make_maximum();

}  // namespace gossamer
