#include <cmath>
#include <cstring>

#include "compress/half.hpp"
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

bool add_then_scale(DType type, MutableBytes out, Bytes in, double scale) noexcept {
  return for_type(type, out, in, [scale](auto x, auto y) { return (x + y) * static_cast<decltype(x)>(scale); });
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

}  // namespace gossamer::kernels::reference
