#include "compress/low_rank.hpp"

#include <algorithm>
#include <limits>

#include "lib/base/error.hpp"

namespace gossamer::low_rank {

Sides sides_of(const Shape& shape) noexcept {
  const std::size_t rows = shape.dims.empty() ? 1 : shape.dims.front();
  return {rows, rows == 0 ? 0 : shape.count() / rows};
}

std::size_t rank_of(const Options& options, Sides sides) {
  if (sides.rows == 0 || sides.cols == 0) {
    static_cast<void>(options.integer("rank", 1, std::numeric_limits<std::int32_t>::max()));
    return 0;
  }
  try {
    const auto smaller = static_cast<std::int64_t>(std::min(sides.rows, sides.cols));
    return static_cast<std::size_t>(options.integer("rank", 1, smaller));
  } catch (const Error& error) {
    fail(error.status(), error.what(), ", the smaller side of this tensor's ", sides.rows, " x ", sides.cols,
         " matrix");
  }
}

bool is_warm(const Options& options) {
  return options.choice("start", {"fresh", "warm"}) == 1;
}

}  // namespace gossamer::low_rank
