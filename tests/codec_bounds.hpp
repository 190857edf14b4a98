#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "lib/base/error.hpp"

/// What each codec's theory allows to come back: functions of type Bound (codec_cases.hpp).
namespace gossamer::bounds {

inline std::string wrong(std::size_t index, float value, float decoded, double allowed) {
  return sentence("element ", index, ": ", value, " came back as ", decoded, ", allowed error ", allowed);
}

inline std::string exact(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (decoded[i] != tensor[offset + i]) return wrong(offset + i, tensor[offset + i], decoded[i], 0.0);
  }
  return {};
}

/// Rounding to nearest of a type with `precision` significant bits, smallest value `least` and largest `largest`.
inline std::string rounded(std::span<const float> values, std::span<const float> decoded, int precision,
                           std::pair<double, double> least_largest) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    const double reachable = std::clamp(value, -least_largest.second, least_largest.second);
    const double allowed = std::max(std::ldexp(std::abs(reachable), -precision), least_largest.first / 2);
    if (!(std::abs(static_cast<double>(decoded[i]) - reachable) <= allowed)) {
      return wrong(i, values[i], decoded[i], allowed);
    }
  }
  return {};
}

inline std::string fp16(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return rounded(tensor.subspan(offset, decoded.size()), decoded, 11, {0x1p-24, 65504.0});
}

inline std::string bf16(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return rounded(tensor.subspan(offset, decoded.size()), decoded, 8, {0x1p-133, 0x1.FEp127});
}

/// Each block's error is at most `steps` quantisation steps; 2^-14 of a step is float rounding, 2^-149 that of the
/// scale.
inline std::string blocks_within(std::span<const float> values, std::span<const float> decoded, std::size_t block,
                                 double steps) {
  for (std::size_t start = 0; start < decoded.size(); start += block) {
    const std::size_t end = std::min(start + block, decoded.size());
    double largest = 0.0;
    for (std::size_t i = start; i < end; ++i) largest = std::max(largest, std::abs(static_cast<double>(values[i])));
    const double allowed = (largest / 127.0 + 0x1p-149) * (steps + 0x1p-14);
    for (std::size_t i = start; i < end; ++i) {
      const double error = std::abs(static_cast<double>(decoded[i]) - static_cast<double>(values[i]));
      if (!(error <= allowed)) return wrong(i, values[i], decoded[i], allowed);
    }
  }
  return {};
}

inline std::string int8_nearest(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return blocks_within(tensor.subspan(offset, decoded.size()), decoded, 256, 0.5);
}

inline std::string int8_stochastic(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  return blocks_within(tensor.subspan(offset, decoded.size()), decoded, 64, 1.0);
}

/// Every value is 0 or ±scale with the sign of the input, where the scale is the largest |x| clipped at 2.5 deviations.
inline std::string ternary(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  double sum = 0.0;
  double squares = 0.0;
  double largest = 0.0;
  for (const float value : tensor) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
    largest = std::max(largest, std::abs(static_cast<double>(value)));
  }
  const auto count = static_cast<double>(tensor.size());
  const double sigma = std::sqrt(std::max(0.0, squares / count - sum / count * sum / count));
  const bool constant = std::all_of(tensor.begin(), tensor.end(), [&](float x) { return x == tensor[0]; });
  const double scale = constant ? largest : std::min(largest, 2.5 * sigma);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    const auto code = static_cast<double>(decoded[i]);
    if (code == 0.0) continue;
    const bool same_sign = (code > 0.0) == (value > 0.0F) && value != 0.0F;
    const double allowed = 1e-5 * scale + 0x1p-148;
    if (!same_sign || std::abs(std::abs(code) - scale) > allowed) return wrong(offset + i, value, decoded[i], allowed);
  }
  return {};
}

/// Every value is kept as it is or dropped; of a whole tensor, dropping all but k of d leaves ‖dropped‖² ≤ (1 −
/// k/d)‖x‖².
inline std::string one_percent_kept(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  double dropped = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const float value = tensor[offset + i];
    if (decoded[i] != 0.0F && decoded[i] != value) return wrong(offset + i, value, decoded[i], 0.0);
    const double error = static_cast<double>(value) - static_cast<double>(decoded[i]);
    dropped += error * error;
    all += static_cast<double>(value) * static_cast<double>(value);
  }
  if (decoded.size() != tensor.size() || tensor.empty()) return {};
  const auto count = static_cast<double>(tensor.size());
  const double allowed = (1.0 - std::floor(0.01 * count) / count) * all;
  if (dropped <= allowed * (1.0 + 1e-9)) return {};
  return sentence("dropped ", dropped, " of ", all, ", allowed ", allowed);
}

/// Every value is dropped or comes back within half a step of the largest |x| / 127.
inline std::string some_kept_as_int8(std::span<const float> tensor, std::size_t offset,
                                     std::span<const float> decoded) {
  double largest = 0.0;
  for (const float value : tensor) largest = std::max(largest, std::abs(static_cast<double>(value)));
  const double allowed = (largest / 127.0 + 0x1p-149) * (0.5 + 0x1p-14);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double error = std::abs(static_cast<double>(decoded[i]) - static_cast<double>(tensor[offset + i]));
    if (decoded[i] != 0.0F && !(error <= allowed)) return wrong(offset + i, tensor[offset + i], decoded[i], allowed);
  }
  return {};
}

}  // namespace gossamer::bounds
