#pragma once

#include <cstdint>

#include "lib/base/error.hpp"

namespace gossamer {

/// What a message is for, within one call.
enum class Phase : std::uint8_t {
  agree = 0,  ///< all ranks mean the same call, and their inputs are finite
  push = 1,   ///< asynchronous gossip
  broadcast = 2,
  mix = 3,
  reduce_scatter = 4,  ///< of round r: 4 + 2r
  all_gather = 5,      ///< of round r: 5 + 2r
};

/// The 64-bit message tag, most significant field first:
///
///     tensor 32 | call 6 | phase 4 | lane 4 | dimension 4 | index 14
///
/// tensor: hash of the name. call: call number modulo 63, or 63 for the registration (neighbours are never more than
/// one call apart). index: the step of a ring, the sender's digit in a direct dimension; a gossip message uses the last
/// 22 bits for the sender's rank. The communicator needs no field: each has an endpoint of its own.
struct Tag {
  static constexpr int kMaxRounds = 6;
  static constexpr std::uint32_t kMaxLanes = 16;
  static constexpr std::uint32_t kMaxDimensions = 16;
  static constexpr std::uint32_t kMaxIndex = 1U << 14;
  static constexpr std::uint32_t kMaxRank = 1U << 22;

  std::uint64_t base = 0;  ///< tensor and call

  static Tag of_call(std::uint32_t tensor, std::uint64_t call) noexcept {
    return {std::uint64_t{tensor} << 32 | (call % 64) << 26};
  }
  [[nodiscard]] std::uint64_t at(Phase phase, int round, std::uint32_t lane, std::uint32_t dimension,
                                 std::uint32_t index) const {
    if (round >= kMaxRounds || lane >= kMaxLanes || dimension >= kMaxDimensions || index >= kMaxIndex) {
      fail(Status::unsupported, "message tag out of range: round ", round, " of ", kMaxRounds, ", lane ", lane, " of ",
           kMaxLanes, ", dimension ", dimension, " of ", kMaxDimensions, ", step ", index, " of ", kMaxIndex,
           "; choose a topology with more, shorter dimensions");
    }
    const auto step = static_cast<std::uint64_t>(phase) + 2 * static_cast<std::uint64_t>(round);
    return base | step << 22 | std::uint64_t{lane} << 18 | std::uint64_t{dimension} << 14 | index;
  }
  [[nodiscard]] std::uint64_t from_rank(Phase phase, int sender) const {
    if (static_cast<std::uint32_t>(sender) >= kMaxRank)
      fail(Status::unsupported, "rank ", sender, " does not fit a message tag");
    return base | static_cast<std::uint64_t>(phase) << 22 | static_cast<std::uint64_t>(sender);
  }
};

}  // namespace gossamer
