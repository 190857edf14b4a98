#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "compress/balanced.hpp"
#include "lib/buffer.hpp"
#include "lib/call.hpp"
#include "lib/reducer.hpp"
#include "topology/topology.hpp"

namespace gossamer {

/// One dimension of the topology as this rank sees it.
struct Leg {
  std::size_t size = 1;
  std::size_t digit = 0;   ///< this rank's place among `peers`
  std::size_t weight = 1;  ///< parts of a slab that one digit of this dimension stands for
  bool direct = false;
  std::uint32_t dimension = 0;
  std::vector<int> peers;  ///< rank by digit
  [[nodiscard]] int next() const noexcept { return peers[(digit + 1) % size]; }
  [[nodiscard]] int previous() const noexcept { return peers[(digit + size - 1) % size]; }
};

/// The dimensions of `topology` for `rank`, in the order in which they reduce.
std::vector<Leg> legs_of(const Topology& topology, int rank);

/// How a tensor is cut. A *slab* is a contiguous run of the tensor that goes through reduce-scatter and all-gather on
/// its own; it has one *part* per rank, which that rank finishes. Up to `lanes` slabs are in flight at once, so that
/// computing on one hides behind the wire of the others. When contributions are gathered, every part is all of the
/// slab.
struct Cut {
  std::size_t count = 0;  ///< elements of the tensor
  std::size_t ranks = 1;
  std::size_t part_count = 0;  ///< elements of a full part
  std::size_t lanes = 1;
  std::size_t grain = 1;  ///< the codec's: parts are multiples of it
  bool gathered = false;
  const Balanced* balanced = nullptr;  ///< the codec, if it moves the borders of parts

  /// Elements of the longest part that there can be.
  [[nodiscard]] std::size_t longest_part() const noexcept {
    return balanced == nullptr ? part_count : part_count * Balanced::kLongest + 1;
  }
  [[nodiscard]] std::size_t slab_count() const noexcept { return gathered ? part_count : part_count * ranks; }
  [[nodiscard]] std::size_t slabs() const noexcept {
    return count == 0 ? 0 : (count + slab_count() - 1) / slab_count();
  }
  /// Elements of parts [first, first + parts) of a slab, which are contiguous.
  [[nodiscard]] Part elements(std::size_t slab, std::size_t first, std::size_t parts) const noexcept;
};

/// The cut for a lane of `slots` part-sized buffers: messages long enough to pay for themselves and short enough for
/// the cache, all slots together at most a quarter of the tensor (except for tensors too small for that to matter).
struct CutPlan {
  std::size_t ranks = 1;
  std::size_t slots = 1;
  ReducerKind kind = ReducerKind::in_place;
};
Cut choose_cut(const Codec& codec, const Shape& shape, const CutPlan& plan);

/// Reduce-scatter along dimension 1, 2, …, then all-gather back, of one array, with one codec: every hop of every codec
/// and topology. Made once per tensor, with all the memory its calls need.
class AllReduce {
 public:
  struct Options {
    int round = 0;          ///< keeps the messages of several all-reduces within a call apart
    bool gathered = false;  ///< every rank gets every rank's payload, and no sum is formed on the way
    std::size_t budget =
        1;  ///< slots take at most one in `budget` of the quarter of the tensor that one alone may take
    Slots* slots = nullptr;  ///< memory of at least slot_bytes(), for all-reduces that take turns; null: its own
  };
  /// Bytes of slots that it takes.
  static std::size_t slot_bytes(const std::vector<Leg>& legs, const Codec& codec, const Shape& shape,
                                const Options& options);
  /// `legs`, `codec` and `options.slots` outlive this.
  AllReduce(Engine& engine, const std::vector<Leg>& legs, Codec& codec, Shape shape, Options options);
  ~AllReduce();

  /// The call's coroutine: `ground.data` holds the result when it ends. Throws numeric (the same on all ranks) when the
  /// result is not finite and ground.check_finite.
  Task run(Call& call, const Ground& ground, Loader* loader);
  /// Memory held for slots of its own.
  [[nodiscard]] std::size_t held_bytes() const noexcept { return own_slots_ ? own_slots_->size() : 0; }
  [[nodiscard]] const Cut& cut() const noexcept { return cut_; }

 private:
  struct Lane;
  struct Steps;  // the coroutines, in all_reduce.cpp

  /// What follows from codec, shape and legs before there is any memory.
  struct Plan {
    ReducerKind kind = ReducerKind::in_place;
    Cut cut;
    ReducerSize reducer;
    bool framed = false;
    std::size_t landings = 0;  ///< messages that a lane can receive at a time
    std::size_t payload = 0;   ///< bytes at most
    std::size_t message = 0;   ///< bytes at most
    std::size_t slot_bytes = 0;
  };
  static Plan plan(const std::vector<Leg>& legs, const Codec& codec, const Shape& shape, const Options& options);

  const std::vector<Leg>& legs_;
  Cut cut_;
  bool in_place_;
  std::size_t element_bytes_;
  std::optional<Slots> own_slots_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace gossamer
