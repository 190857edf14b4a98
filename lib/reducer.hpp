#pragma once

#include <memory>
#include <vector>

#include "compress/codec.hpp"
#include "lib/base/bytes.hpp"
#include "lib/buffer.hpp"

namespace gossamer {

/// A run of elements that one payload stands for.
struct Part {
  std::size_t offset = 0;  ///< of the first element, in the tensor
  std::size_t count = 0;
  std::size_t place = 0;  ///< in its slab: whose part it is, or whose contribution
};

/// Fills in this rank's contribution when a hop first touches a part: adds the residual, scales, or projects.
class Loader {
 public:
  virtual ~Loader() = default;
  virtual void load(Part part, std::byte* values) = 0;
};

/// How many entries payloads of a Sparse codec had, over the whole tensor.
struct Entries {
  std::size_t own = 0;  ///< in what this rank encoded
  std::size_t sum = 0;  ///< in the results
};

/// The memory a call works on. With a residual, the call keeps what each encode dropped in `data` until the part's
/// result arrives; only then does it go to `residual` (so a call that fails before its all-gather leaves it as it was).
struct Ground {
  std::byte* data = nullptr;   ///< the whole tensor, in and out
  float* residual = nullptr;   ///< as long, or null without error feedback
  float input_scale = 1;       ///< what the loader multiplied the input by
  double result_scale = 1;     ///< what the sum is multiplied by: 1/n for a mean that was not scaled on input
  bool check_finite = false;   ///< nonfinite=error
  Entries* entries = nullptr;  ///< counted if not null, with a codec that is Sparse
};

/// What a step between neighbours does to a part: one of three ways, told by the codec's type. One object per lane,
/// used by one call at a time. A part is `fresh` at its first touch in a call.
class Reducer {
 public:
  virtual ~Reducer() = default;

  /// Before the first part of a call.
  virtual void begin(const Ground& ground, Loader* loader) = 0;
  /// Payload of this rank's partial sum; what encoding drops stays here as residual.
  virtual Bytes open(Part part, bool fresh, MutableBytes slot) = 0;
  /// Payload of incoming + this rank's partial sum.
  virtual Bytes pass(Part part, bool fresh, Bytes incoming, MutableBytes slot) = 0;
  /// Partial sum += incoming, to be opened or finished later.
  virtual void keep(Part part, bool fresh, Bytes incoming) = 0;
  /// The sum is complete: encodes it once, puts the result (read back from the payload) into the tensor.
  virtual Bytes finish(Part part, bool fresh, MutableBytes slot) = 0;
  /// Puts a finished part from another rank into the tensor.
  virtual void place(Part part, Bytes payload) = 0;
  /// All parts of the slab are placed.
  virtual void settle() = 0;
  /// False once a finished part was not finite.
  [[nodiscard]] virtual bool finite() const noexcept = 0;
  /// The next slab: partial sums kept so far are forgotten.
  virtual void next_slab() noexcept = 0;
};

enum class ReducerKind { in_place, re_encode, merge, gather };

/// `gathered`: no sum is formed on the way; every rank gets every rank's payload.
ReducerKind reducer_kind(const Codec& codec, bool gathered) noexcept;

/// How much a reducer has to hold.
struct ReducerSize {
  std::size_t part_count = 0;  ///< elements in the largest part
  std::size_t kept_parts = 1;  ///< partial sums that a rank keeps between dimensions
  std::size_t ranks = 1;
};

/// Max-payload-sized slots the reducer takes.
std::size_t reducer_slots(ReducerKind kind, const ReducerSize& size) noexcept;

/// `codec` and the memory of `slots` must outlive the reducer.
std::unique_ptr<Reducer> make_reducer(ReducerKind kind, Codec& codec, DType dtype, const ReducerSize& size,
                                      Slots& slots);

}  // namespace gossamer
