#pragma once

#include <cstddef>
#include <numeric>
#include <string_view>
#include <vector>

namespace gossamer {

/// Element types, with the values of `goss_dtype`.
enum class DType : int { float32 = 0, float64 = 1, float16 = 2, bfloat16 = 3 };

constexpr std::size_t size_of(DType type) noexcept {
  return type == DType::float64 ? 8 : type == DType::float32 ? 4 : 2;
}

constexpr std::string_view name_of(DType type) noexcept {
  constexpr std::string_view names[] = {"float32", "float64", "float16", "bfloat16"};
  return names[static_cast<int>(type)];
}

/// What a tensor is, apart from its values. `dims` is row-major; no dims is a scalar of one element.
struct Shape {
  DType dtype = DType::float32;
  std::vector<std::size_t> dims;

  [[nodiscard]] std::size_t count() const noexcept {
    return std::accumulate(dims.begin(), dims.end(), std::size_t{1}, std::multiplies<>());
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return count() * size_of(dtype); }
};

}  // namespace gossamer
