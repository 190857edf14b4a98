#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "compress/half.hpp"
#include "compress/int8_scale.hpp"
#include "compress/kernels.hpp"

namespace gossamer::kernels::reference {
namespace {

template <typename T>
struct Native {
  using Stored = T;
  using Value = T;
  static Value widen(Stored stored) noexcept { return stored; }
  static Stored narrow(Value value) noexcept { return value; }
};

struct Float16 {
  using Stored = std::uint16_t;
  using Value = float;
  static Value widen(Stored stored) noexcept { return float16_to_float(stored); }
  static Stored narrow(Value value) noexcept { return float_to_float16(value); }
};

struct BFloat16 {
  using Stored = std::uint16_t;
  using Value = float;
  static Value widen(Stored stored) noexcept { return bfloat16_to_float(stored); }
  static Stored narrow(Value value) noexcept { return float_to_bfloat16(value); }
};

template <typename Element, typename Op>
bool transform(MutableBytes out, Bytes in, const Op& op) noexcept {
  bool finite = true;
  typename Element::Stored stored_out{};
  typename Element::Stored stored_in{};
  for (std::size_t at = 0; at < out.size(); at += sizeof(stored_out)) {
    std::memcpy(&stored_out, out.data() + at, sizeof(stored_out));
    std::memcpy(&stored_in, in.data() + at, sizeof(stored_in));
    stored_out = Element::narrow(op(Element::widen(stored_out), Element::widen(stored_in)));
    finite = finite && std::isfinite(Element::widen(stored_out));
    std::memcpy(out.data() + at, &stored_out, sizeof(stored_out));
  }
  return finite;
}

template <typename Op>
bool for_type(DType type, MutableBytes out, Bytes in, const Op& op) noexcept {
  switch (type) {
    case DType::float64:
      return transform<Native<double>>(out, in, op);
    case DType::float16:
      return transform<Float16>(out, in, op);
    case DType::bfloat16:
      return transform<BFloat16>(out, in, op);
    case DType::float32:
      break;
  }
  return transform<Native<float>>(out, in, op);
}

}  // namespace

void add_scaled(DType type, MutableBytes out, Bytes in, double scale) noexcept {
  for_type(type, out, in, [scale](auto x, auto y) { return x + static_cast<decltype(x)>(scale) * y; });
}

bool rescale(DType type, MutableBytes values, double scale) noexcept {
  return for_type(type, values, values, [scale](auto x, auto) { return x * static_cast<decltype(x)>(scale); });
}

bool all_finite(DType type, Bytes values) noexcept {
  bool finite = true;
  const auto look = [&finite](auto x, auto y) {
    finite = finite && std::isfinite(y);
    return x;
  };
  const std::size_t size = size_of(type);
  std::byte scratch[sizeof(double)] = {};
  for (std::size_t at = 0; at < values.size(); at += size) {
    for_type(type, MutableBytes(scratch).first(size), values.subspan(at, size), look);
  }
  return finite;
}

double sum_of_squares(std::span<const float> values) noexcept {
  double sum = 0.0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

float max_abs(std::span<const float> values) noexcept {
  std::uint32_t largest = 0;
  for (const float value : values) largest = std::max(largest, std::bit_cast<std::uint32_t>(std::abs(value)));
  return std::bit_cast<float>(largest);
}

Moments moments(std::span<const float> values, float shift) noexcept {
  Moments result;
  for (const float value : values) {
    const double centred = static_cast<double>(value) - static_cast<double>(shift);
    result.sum += centred;
    result.sum_of_squares += centred * centred;
    result.max_abs = std::max(result.max_abs, std::abs(value));
  }
  return result;
}

void narrow(DType half, std::span<const float> in, MutableBytes out) noexcept {
  const float largest = half == DType::float16 ? kFloat16Max : kBFloat16Max;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const float value = std::isfinite(in[i]) ? std::clamp(in[i], -largest, largest) : in[i];
    const std::uint16_t bits = half == DType::float16 ? float_to_float16(value) : float_to_bfloat16(value);
    std::memcpy(out.data() + 2 * i, &bits, sizeof(bits));
  }
}

void add_widened(DType half, Bytes in, float scale, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, in.data() + 2 * i, sizeof(bits));
    out[i] += scale * (half == DType::float16 ? float16_to_float(bits) : bfloat16_to_float(bits));
  }
}

void quantise_int8(std::span<const float> in, const Int8Blocks& out) noexcept {
  for (std::size_t start = 0, b = 0; start < in.size(); start += out.block, ++b) {
    const std::span<const float> values = in.subspan(start, std::min(out.block, in.size() - start));
    const Int8Scale scale = int8_scale(max_abs(values));
    std::memcpy(out.scales.data() + b * sizeof(float), &scale.scale, sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float scaled = scale.inverse == 0.0F ? 0.0F : values[i] * scale.lift * scale.inverse;
      const auto code = static_cast<std::int8_t>(std::nearbyint(std::clamp(scaled, -127.0F, 127.0F)));
      out.codes[start + i] = static_cast<std::byte>(code);
    }
  }
}

void add_int8(Bytes scales, Bytes codes, std::size_t block, float scale, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    float block_scale = 0.0F;
    std::memcpy(&block_scale, scales.data() + i / block * sizeof(float), sizeof(float));
    out[i] += scale * (static_cast<float>(static_cast<std::int8_t>(codes[i])) * block_scale);
  }
}

}  // namespace gossamer::kernels::reference
