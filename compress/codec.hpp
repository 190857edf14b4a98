#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/bytes.hpp"
#include "lib/base/dtype.hpp"
#include "lib/base/philox.hpp"
#include "lib/base/spec.hpp"

namespace gossamer {

/// A run of a tensor's elements, in the caller's memory.
struct Chunk {
  std::byte* data = nullptr;
  std::size_t count = 0;   ///< elements
  std::size_t offset = 0;  ///< of the first element, in the tensor

  template <typename T>
  [[nodiscard]] std::span<T> as() const noexcept {
    return {reinterpret_cast<T*>(data), count};
  }
  [[nodiscard]] std::span<float> floats() const noexcept { return as<float>(); }
};

/// What a codec may know about the call it works for.
struct StepContext {
  RandomStream shared;  ///< same on all ranks: index choices, warm starts
  RandomStream own;     ///< differs per rank: stochastic rounding
  int ranks = 1;
  float input_scale = 1;  ///< what encode() finds multiplied into the input: 1/ranks for a mean; 1 for linear codecs
};

/// What the three kinds of codec have in common. One object per tensor, used by one thread at a time.
///
/// Lossy codecs see float32 only (the library stages other types); `identity` sees the tensor's own type.
class TensorCodec {
 public:
  virtual ~TensorCodec() = default;
  /// Registry name plus layout version ("int8.2"): changes whenever the payload's or the saved state's layout does.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Memory that must outlive a call and goes into `goss_tensor_save` (a warm start); empty when there is none.
  [[nodiscard]] virtual std::span<float> state() noexcept = 0;
  /// Back to the state of a new object.
  virtual void reset() = 0;
};

/// Re-encode: a hop decodes the incoming partial sum, adds this rank's values and encodes again.
///
/// Payloads are self-describing and decoded without trust: any bytes either decode to `out.count` values or throw
/// `corrupt`; an encoder's output never depends on anything but its arguments, begin() and its options.
class Codec : public TensorCodec {
 public:
  /// Upper bound on the bytes of encode() (and merge(), finish()) for `count` values.
  [[nodiscard]] virtual std::size_t max_payload(std::size_t count) const noexcept = 0;
  /// Bytes a payload of `count` values usually has; sizes segments, nothing else.
  [[nodiscard]] virtual std::size_t typical_payload(std::size_t count) const noexcept = 0;
  /// Whether begin() looks at the values; if not, they may be completed part by part, just before encode() needs them.
  [[nodiscard]] virtual bool surveys() const noexcept = 0;
  /// Once per call, before any encode(): statistics over this rank's whole tensor (threshold, norm).
  virtual void begin(Chunk tensor, const StepContext& context) = 0;
  /// The payload of `chunk`, in `slot` (at least max_payload(chunk.count) bytes, 4-byte aligned) or, for an
  /// InPlaceCodec, in the chunk's own memory. Values are finite. Deterministic.
  virtual Bytes encode(Chunk chunk, MutableBytes slot) = 0;
  /// out += scale · decode(payload). Throws `corrupt` before writing out of bounds; `out` is then unspecified.
  virtual void accumulate(Bytes payload, float scale, Chunk out) const = 0;
};

/// Payloads add up without decoding: shared-scale integers, sorted sparse unions. No loss after the first encode.
class MergeableCodec : public Codec {
 public:
  /// payload ⊕ payload of `count` values into `slot`. decode(merge(a, b)) = decode(a) + decode(b) exactly up to float
  /// addition.
  virtual Bytes merge(Bytes a, Bytes b, std::size_t count, MutableBytes slot) const = 0;
  /// Bytes that the sum of so many ranks' payloads usually has; predicts traffic, nothing else.
  [[nodiscard]] virtual std::size_t typical_sum(std::size_t count, int contributions) const noexcept = 0;
};

/// The payload is the values themselves: hops send from and receive into the tensor.
class InPlaceCodec : public Codec {
 public:
  /// values *= scale, and whether every result is finite.
  virtual bool rescale(double scale, Chunk values) const = 0;
  /// Makes the first value NaN: marks a segment that is not finite so that readers need to look at one value only.
  virtual void mark_nonfinite(Chunk values) const noexcept = 0;
  [[nodiscard]] virtual bool marked_nonfinite(Chunk values) const noexcept = 0;
};

/// Linear rounds: the tensor is projected to a small dense vector, the vectors are summed over the ranks, the sum is
/// handed back. Rounds run in order; round r + 1 may depend on absorb(r).
class LinearCodec : public TensorCodec {
 public:
  [[nodiscard]] virtual int rounds() const noexcept = 0;
  /// Floats in the vector of `round`.
  [[nodiscard]] virtual std::size_t round_count(int round) const noexcept = 0;
  /// Codec spec with which the round's vectors travel: "identity", "fp16" or "bf16".
  [[nodiscard]] virtual std::string_view wire() const noexcept = 0;
  /// Once per call. `tensor` stays valid and unchanged until the last round is absorbed.
  virtual void begin(Chunk tensor, const StepContext& context) = 0;
  /// This rank's elements [offset, offset + out.size()) of the vector of `round`. Each element is asked for once, in
  /// any order, when its hop needs it.
  virtual void project(int round, std::size_t offset, std::span<float> out) = 0;
  /// The vector of `round`, summed over all ranks; the same bits everywhere.
  virtual void absorb(int round, std::span<const float> sum) = 0;
  /// Elements [offset, offset + out.size()) of what the ranks agree the *sum* is.
  virtual void reconstruct(std::size_t offset, std::span<float> out) const = 0;
};

// ---- Capabilities: what a codec may be besides --------------------------------------------------------------------

/// Ranks agree on maxima before they encode: shared scales.
class SharedMaxima {
 public:
  virtual ~SharedMaxima() = default;
  /// After begin(): this rank's values, as many in every call and on every rank. The caller replaces each by the
  /// maximum over all ranks before encode().
  [[nodiscard]] virtual std::span<float> maxima() noexcept = 0;
};

/// A linear codec whose sum is made of parts that each rank can tell: a rank's residual is then its input without its
/// own part, instead of without an equal share of the sum, and stays bounded however much the ranks differ.
class OwnContribution {
 public:
  virtual ~OwnContribution() = default;
  /// After the last absorb(), if the vectors travelled exactly (wire() is "identity"): what this rank has put into
  /// elements [offset, offset + out.size()) of the reconstruction, where its input was `values`. The ranks' parts add
  /// up to the reconstruction. `out` and `values` have the same size and do not overlap.
  virtual void contribution(std::size_t offset, std::span<const float> values, std::span<float> out) const = 0;
};

/// Turns the gradient into what is compressed, before error feedback joins in: momentum, clipping.
class Conditioner {
 public:
  virtual ~Conditioner() = default;
  /// Once per call, before begin(): replaces this rank's whole gradient, which is not scaled yet.
  virtual void condition(Chunk gradient, const StepContext& context) = 0;
};

/// Weighs gradients by how much the samples agree: variance-based sparsification.
class TakesSecondMoments {
 public:
  virtual ~TakesSecondMoments() = default;
  /// Before a call, at most once for each: for every element Σ (g_z / B)² over the B samples z whose gradients' mean
  /// the call is given. Throws `argument` for another number of elements and for what is negative or not finite.
  virtual void second_moments(std::span<const float> moments) = 0;
};

/// Payloads with entries for some of the elements only: how many, and so what each way of reducing sends, is measured.
class Sparse {
 public:
  virtual ~Sparse() = default;
  /// Entries of a payload of `count` elements. Throws `corrupt`.
  [[nodiscard]] virtual std::size_t entries(Bytes payload, std::size_t count) const = 0;
  /// Bytes that a payload with entries for a share `density` of `count` elements usually has.
  [[nodiscard]] virtual std::size_t typical_own(std::size_t count, double density) const noexcept = 0;
  /// The same of a sum of several ranks' payloads.
  [[nodiscard]] virtual std::size_t typical_union(std::size_t count, double density) const noexcept = 0;
};

/// A merged sum travels back in another form: a vote, a rounding. Its owner keeps what that drops as residual.
class Finisher {
 public:
  virtual ~Finisher() = default;
  /// The payload that all ranks decode instead of the complete `sum` of `part`, in `slot` (max_payload bytes). Of
  /// `part` only count and offset mean anything.
  virtual Bytes finish(Bytes sum, Chunk part, MutableBytes slot) = 0;
};

/// Chunks are cut at multiples of grain() elements (rows of a matrix); only the tensor's last may be shorter.
class Grained {
 public:
  virtual ~Grained() = default;
  [[nodiscard]] virtual std::size_t grain() const noexcept = 0;
};

/// A LinearCodec of which a call runs only some rounds: factors that take turns.
class Intermittent {
 public:
  virtual ~Intermittent() = default;
  /// After begin(): whether this call leaves `round` out, which all ranks must say alike. Such a round is neither
  /// projected nor absorbed.
  [[nodiscard]] virtual bool skips(int round) const noexcept = 0;
};

/// A LinearCodec that now and then has the tensor exchanged as it is and learns from the sum, which is the call's
/// result: a subspace for the calls to come. Such a call leaves no residual.
class Learner {
 public:
  virtual ~Learner() = default;
  /// After begin(): whether this call is one, instead of running rounds; all ranks must say alike.
  [[nodiscard]] virtual bool dense() const noexcept = 0;
  /// The sum of such a call; the same bits everywhere.
  virtual void learn(std::span<const float> sum) = 0;
};

/// Whether the call that has begun runs `round`.
[[nodiscard]] inline bool runs(const LinearCodec& codec, int round) noexcept {
  const auto* intermittent = dynamic_cast<const Intermittent*>(&codec);
  return intermittent == nullptr || !intermittent->skips(round);
}

/// The codec, if it is to learn from the call that has begun.
[[nodiscard]] inline Learner* learner_of(LinearCodec& codec) noexcept {
  auto* learner = dynamic_cast<Learner*>(&codec);
  return learner != nullptr && learner->dense() ? learner : nullptr;
}

/// One way of reducing that a codec can be told to take: `key=value`.
struct Alternative {
  std::string_view name;
  std::string_view key;
  std::string_view value;
};

/// One line of the registry.
struct CodecEntry {
  std::string_view name;
  std::string_view summary;   ///< one line for `gossamer info`
  bool error_feedback;        ///< default of ef=
  bool needs_matrix = false;  ///< tensors of fewer than two dimensions go through uncompressed
  double error;  ///< largest ‖Q(x) − x‖ / ‖x‖ of one encode, for x drawn from a normal distribution
  std::span<const Key> keys = {};  ///< besides ef and reduce
  std::span<const Alternative> alternatives =
      {};  ///< what reduce=auto chooses from besides; empty: the codec has one way
  std::unique_ptr<TensorCodec> (*make)(const Options& options, const Shape& shape);
};

std::span<const CodecEntry> codecs() noexcept;

/// Its own keys and those of all codecs.
std::vector<Key> keys_of(const CodecEntry& entry);

/// What a codec spec means for a tensor of a given shape.
struct CodecChoice {
  std::unique_ptr<TensorCodec> codec;
  bool error_feedback = false;
  bool gathered = false;   ///< no sum is formed on the way: every rank's payload goes to every rank
  std::string spec;        ///< the spec in force: "identity" when the tensor goes through uncompressed
  bool automatic = false;  ///< reduce=auto: `codec` is one of several, see ways.hpp
};

/// Throws `argument` for an unknown codec, key or value. A matrix codec on a tensor of fewer than two dimensions, and
/// any codec on fewer than `min_compress` elements, is `identity` (after the spec has been checked).
CodecChoice make_codec(std::string_view spec, const Shape& shape, std::size_t min_compress = 0);

}  // namespace gossamer
