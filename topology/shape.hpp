#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "lib/base/spec.hpp"
#include "topology/gossip_graph.hpp"

namespace gossamer {

/// The factors of an item such as `4x8x2`, which multiply to `layout.size`. Throws `argument` when there is no item, it
/// is written otherwise, or has another number of places; `name` and `form` ("torus:AxB") are for the message.
std::vector<std::size_t> shape_of(const Options& options, const Layout& layout, std::string_view name,
                                  std::string_view form);

/// All ways to write `number` as a product of `parts` factors from 2, in every order; ascending by the first factor.
std::vector<std::vector<std::size_t>> shapes(std::size_t number, std::size_t parts);

/// The prime factors of `number`, ascending; none for 1.
std::vector<std::size_t> prime_factors(std::size_t number);

}  // namespace gossamer
