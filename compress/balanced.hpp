#pragma once

#include <cstddef>
#include <span>

namespace gossamer {

/// A codec that says where the parts of a slab begin, so that their owners get about equally many entries.
class Balanced {
 public:
  /// No part is longer than so many equal ones: slots are made for that.
  static constexpr std::size_t kLongest = 4;

  virtual ~Balanced() = default;
  /// Where part `index` of `parts` begins in elements [start, start + length) of the tensor, from start on; ascending,
  /// and `length` for index = parts. The same on all ranks, and throughout a call.
  [[nodiscard]] virtual std::size_t border(std::size_t start, std::size_t length, std::size_t index,
                                           std::size_t parts) const noexcept = 0;
  /// After a call: its result, the same bits on all ranks.
  virtual void learn(std::span<const float> result) = 0;
};

}  // namespace gossamer
