#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/error.hpp"

/// Bounds of the low-rank family: functions of type Bound (codec_cases.hpp).
namespace gossamer::bounds {

/// An orthogonal projection of the rows: what is dropped is no longer than the whole, and the values sent are not
/// either. 1e-5 is float rounding of basis and products, 2^-144 that of denormal ones.
inline std::string projected(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  double dropped = 0.0;
  double sent = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto value = static_cast<double>(tensor[offset + i]);
    const auto code = static_cast<double>(decoded[i]);
    dropped += (value - code) * (value - code);
    sent += code * code;
    all += value * value;
  }
  const double allowed = std::sqrt(all) * (1.0 + 1e-5) + std::sqrt(static_cast<double>(decoded.size())) * 0x1p-144;
  if (std::sqrt(dropped) <= allowed && std::sqrt(sent) <= allowed) return {};
  return sentence("dropped ", std::sqrt(dropped), ", sent ", std::sqrt(sent), ", allowed ", allowed);
}

/// b of ATOMO with p = min(1, w / b) and Σ p = budget, from the sorted weights: the first m for which the next weight
/// is not certain when m of them are. 0 when the budget suffices for all that are not zero.
inline double atom_bound(std::vector<double> weights, double budget) {
  std::sort(weights.begin(), weights.end(), std::greater<>());
  std::vector<double> rest(weights.size() + 1, 0.0);
  for (std::size_t i = weights.size(); i-- > 0;) rest[i] = rest[i + 1] + weights[i];
  for (std::size_t m = 0; m < weights.size() && weights[m] > 0.0; ++m) {
    const double left = budget - static_cast<double>(m);
    if (left > 0.0 && weights[m] * left < rest[m] * (1.0 - 1e-12)) return rest[m] / left;
  }
  return 0.0;
}

/// atomo with a budget of 5 %: every value is dropped, exact if it is at least b, or else ±b.
inline std::string atoms_of_five_percent(std::span<const float> tensor, std::size_t offset,
                                         std::span<const float> decoded) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < decoded.size(); ++i) weights.push_back(std::abs(static_cast<double>(tensor[offset + i])));
  const double bound = atom_bound(weights, std::max(1.0, 0.05 * static_cast<double>(weights.size())));
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto value = static_cast<double>(tensor[offset + i]);
    const auto code = static_cast<double>(decoded[i]);
    const double expected = std::copysign(std::max(std::abs(value), bound), value);
    const double allowed = 1e-6 * std::abs(expected) + 0x1p-149;
    if (code != 0.0 && (value == 0.0 || !(std::abs(code - expected) <= allowed))) {
      return sentence("element ", offset + i, ": ", value, " came back as ", code, " instead of 0 or ", expected);
    }
  }
  return {};
}

/// A draw of singular triplets has no bound but that it is finite; nothing comes of nothing.
inline std::string triplets(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded) {
  const std::span<const float> values = tensor.subspan(offset, decoded.size());
  const bool nothing = std::all_of(values.begin(), values.end(), [](float x) { return x == 0.0F; });
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (!std::isfinite(decoded[i]) || (nothing && decoded[i] != 0.0F)) {
      return sentence("element ", offset + i, ": ", values[i], " came back as ", decoded[i]);
    }
  }
  return {};
}

}  // namespace gossamer::bounds
