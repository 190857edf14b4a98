#include "tools/perf_input.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "compress/half.hpp"

namespace gossamer::tools {
namespace {

constexpr std::size_t kBlock = 1024;

// Steele, Lea and Flood's mixer (splitmix64): one multiply-xor chain per element, no state.
std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

// Sum of four 16-bit uniforms, shifted and scaled to mean 0 and variance 1.
float nearly_normal(std::uint64_t word) noexcept {
  const auto sum = static_cast<std::int32_t>((word & 0xffffU) + ((word >> 16U) & 0xffffU) + ((word >> 32U) & 0xffffU) +
                                             (word >> 48U));
  return static_cast<float>(sum - 131070) * (1.7320508F / 65536.0F);
}

template <typename T, typename Convert>
void store(std::span<const float> values, std::byte* out, Convert convert) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const T value = convert(values[i]);
    std::memcpy(out + i * sizeof(T), &value, sizeof(T));
  }
}

template <typename T, typename Convert>
void load(const std::byte* in, std::span<double> out, Convert convert) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, in + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(convert(value));
  }
}

void narrow(goss_dtype dtype, std::span<const float> values, std::byte* out) {
  switch (dtype) {
    case GOSS_FLOAT64:
      return store<double>(values, out, [](float x) { return static_cast<double>(x); });
    case GOSS_FLOAT16:
      return store<std::uint16_t>(values, out, float_to_float16);
    case GOSS_BFLOAT16:
      return store<std::uint16_t>(values, out, float_to_bfloat16);
    case GOSS_FLOAT32:
      break;
  }
  store<float>(values, out, [](float x) { return x; });
}

}  // namespace

std::size_t element_size(goss_dtype dtype) noexcept {
  return dtype == GOSS_FLOAT64 ? 8 : dtype == GOSS_FLOAT32 ? 4 : 2;
}

void Inputs::fill(int rank, std::size_t first, std::span<std::byte> out) const {
  const std::size_t size = element_size(dtype);
  const std::uint64_t stream = mix(seed * 0x9e3779b97f4a7c15ULL + static_cast<std::uint64_t>(rank) + 1);
  std::array<float, kBlock> block;
  for (std::size_t done = 0; done < out.size() / size;) {
    const std::size_t count = std::min(kBlock, out.size() / size - done);
    for (std::size_t i = 0; i < count; ++i) {
      block[i] = nearly_normal(mix(stream + (first + done + i) * 0x9e3779b97f4a7c15ULL));
    }
    narrow(dtype, std::span(block).first(count), out.data() + done * size);
    done += count;
  }
}

void Inputs::values(int rank, std::size_t first, std::span<double> out) const {
  const std::size_t size = element_size(dtype);
  std::array<std::byte, kBlock * sizeof(double)> block;
  for (std::size_t done = 0; done < out.size();) {
    const std::size_t count = std::min(kBlock, out.size() - done);
    const auto bytes = std::span(block).first(count * size);
    fill(rank, first + done, bytes);
    widen(dtype, bytes, out.subspan(done, count));
    done += count;
  }
}

void widen(goss_dtype dtype, std::span<const std::byte> data, std::span<double> out) {
  switch (dtype) {
    case GOSS_FLOAT64:
      return load<double>(data.data(), out, [](double x) { return x; });
    case GOSS_FLOAT16:
      return load<std::uint16_t>(data.data(), out, float16_to_float);
    case GOSS_BFLOAT16:
      return load<std::uint16_t>(data.data(), out, bfloat16_to_float);
    case GOSS_FLOAT32:
      break;
  }
  load<float>(data.data(), out, [](float x) { return x; });
}

}  // namespace gossamer::tools
