#pragma once

#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace gossamer {

/// A value kept among floats, so that it is saved with them.
template <typename T>
class Remembered {
 public:
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr std::size_t kFloats = (sizeof(T) + sizeof(float) - 1) / sizeof(float);

  /// `place`: kFloats floats that stay.
  explicit Remembered(std::span<float> place) noexcept : place_(place) {}
  [[nodiscard]] T get() const noexcept {
    T value;
    std::memcpy(static_cast<void*>(&value), place_.data(), sizeof(T));
    return value;
  }
  void set(const T& value) noexcept { std::memcpy(place_.data(), &value, sizeof(T)); }

 private:
  std::span<float> place_;
};

}  // namespace gossamer
