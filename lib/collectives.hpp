#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "lib/all_reduce.hpp"
#include "lib/call.hpp"

/// The collectives that move bytes without reducing them in a ring, each one coroutine. Memory stays valid until they
/// end.
namespace gossamer {

/// One record of equal size per rank.
struct Records {
  MutableBytes all;  ///< ranks × size bytes, this rank's own at own_record()
  std::size_t size = 0;
};

/// Where this rank's record is among all. The order is that of the legs' digits, not of ranks.
std::size_t own_record(const std::vector<Leg>& legs) noexcept;

/// All-gather of small records over the topology: `records.all` is full when it ends. Every rank then knows that every
/// rank has come this far.
Task gather_records(Call& call, const std::vector<Leg>& legs, Phase phase, Records records);

/// `data` of the rank whose digits are `root_digits` to all, exact, pipelined along one dimension after the other.
Task broadcast(Call& call, const std::vector<Leg>& legs, std::vector<std::size_t> root_digits, MutableBytes data);

}  // namespace gossamer
