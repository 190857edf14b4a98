#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/codec.hpp"

namespace gossamer {

/// One dimension of an all-reduce, as far as its bytes depend on it.
struct Stage {
  std::size_t ranks = 1;
  bool direct = false;  ///< each rank sends to each other; else around a ring
};

/// Shares of a tensor's elements that have entries in the payloads of a Sparse codec.
struct Density {
  double own = 0;  ///< in a rank's contribution: the mean of the ranks
  double sum = 0;  ///< in the sum of all of them

  /// In a sum of so many of `ranks` contributions: exact where supports are independent, all equal, or a common part
  /// and an independent rest; never more than if they had nothing in common.
  [[nodiscard]] double of(std::size_t contributions, std::size_t ranks) const noexcept;
};

/// One way in which the payloads of a codec can be reduced.
struct Way {
  std::string name;                    ///< "union", "all-gather"
  std::string spec;                    ///< that takes this way and no other
  std::shared_ptr<TensorCodec> codec;  ///< ways that differ in nothing else have it in common
  bool gathered = false;
  bool exact = false;  ///< nothing is lost after a rank's own encode
  double bytes = 0;    ///< predicted: what a rank sends in a call, but for the headers of messages

  /// What reduce=auto compares: an inexact way has to save half of the bytes to be worth its error.
  [[nodiscard]] double cost() const noexcept { return exact ? bytes : 2 * bytes; }
};

/// Bytes of payloads and scales that a rank sends in a call: by what the codec says is typical of it or, of a Sparse
/// one, by what has been measured.
double predicted_bytes(const Way& way, const Shape& shape, std::span<const Stage> stages,
                       const std::optional<Density>& measured = {});

/// Every way of a codec spec for a tensor of this shape, with its typical bytes: the codec's own alternatives, then
/// all-gather if it can be.
std::vector<Way> ways_of(std::string_view spec, const Shape& shape, std::span<const Stage> stages);

/// The first of the cheapest; `exact`: of those that are.
const Way& cheapest(std::span<const Way> ways, bool exact = false);

/// The ways of which a tensor's calls take one each: several under reduce=auto, if what they send can be measured;
/// otherwise one. Leaves `choice` without its codec.
std::vector<Way> ways_to_take(CodecChoice& choice, const Shape& shape, std::span<const Stage> stages);

/// Whether every rank's payload can be sent to every rank instead of sums.
bool can_be_gathered(TensorCodec& codec) noexcept;

/// Names of the values that reduce= has for this codec.
std::vector<std::string_view> reductions(const CodecEntry& entry);

}  // namespace gossamer
