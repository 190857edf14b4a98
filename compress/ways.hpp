#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compress/codec.hpp"

namespace gossamer {

/// One way in which the payloads of a codec can be reduced.
struct Way {
  std::string name;    ///< "union", "all-gather"
  std::string spec;    ///< that takes this way and no other
  double bytes = 0;    ///< predicted: what a rank sends in a call, on any topology but for the headers of messages
  bool exact = false;  ///< nothing is lost after a rank's own encode

  /// What reduce=auto compares: an inexact way has to save half of the bytes to be worth its error.
  [[nodiscard]] double cost() const noexcept { return exact ? bytes : 2 * bytes; }
};

/// Every way of a codec spec for a tensor of this shape among so many ranks: the codec's own alternatives, then
/// all-gather if it can be.
std::vector<Way> ways_of(std::string_view spec, const Shape& shape, int ranks);

/// The one that reduce=auto takes: the first of the cheapest.
const Way& cheapest(const std::vector<Way>& ways);

/// Predicted bytes of payloads and scales that a rank sends in a call, in the way that the choice takes.
double predicted_bytes(const CodecChoice& choice, const Shape& shape, int ranks);

/// Whether every rank's payload can be sent to every rank instead of sums.
bool can_be_gathered(TensorCodec& codec) noexcept;

/// Names of the values that reduce= has for this codec.
std::vector<std::string_view> reductions(const CodecEntry& entry);

}  // namespace gossamer
