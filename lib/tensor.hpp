#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compress/codec.hpp"
#include "lib/all_reduce.hpp"
#include "lib/buffer.hpp"
#include "lib/call.hpp"
#include "lib/collectives.hpp"
#include "lib/gossip/mixer.hpp"
#include "lib/reductions.hpp"
#include "lib/trace.hpp"

namespace gossamer {

class Asynchronous;
class ModelGroup;
struct ModelGroupMember;

/// What tensors share: the communicator's view of the world.
struct World {
  Engine& engine;
  const Topology& topology;
  const std::vector<Leg>& legs;
  int rank = 0;
  int size = 1;
  std::uint64_t seed = 0;
  bool nonfinite_is_error = true;
  GossipChoice gossip{};  ///< its texts outlive the tensors
  bool survives = false;  ///< gossip goes on without ranks that die
};

enum class Op : int { sum = 0, mean = 1 };

/// Running totals of a tensor's calls.
struct TensorTotals {
  std::uint64_t calls = 0;
  std::uint64_t dense_bytes = 0;
  Traffic traffic;
  TimeSplit time;

  void add(const Call& call, std::size_t tensor_bytes) noexcept;
  void add(const TensorTotals& other) noexcept;
};

/// A registered tensor: its codec, all state that outlives a call, and the memory its calls need. One call at a time.
class Tensor {
 public:
  Tensor(const World& world, std::string name, Shape shape, CodecChoice choice);
  ~Tensor();

  /// Before the first call: from now on this tensor's calls are those of a group that it is a member of.
  struct Membership {
    ModelGroup* group = nullptr;
    ModelGroupMember* member = nullptr;
  };
  void join(const Membership& membership, std::string_view codec_spec);
  /// Before mix(). Throws `argument` if the communicator's graph does not suit its gossip method, `unsupported` if this
  /// tensor does not.
  void prepare_gossip();
  /// The same before push() and pull().
  void prepare_mailbox();
  [[nodiscard]] bool has_mailbox() const noexcept { return mailbox_ != nullptr; }
  /// Before the first call: tells tensors of one name apart, which ranks so refuse to exchange with each other.
  void set_identity(std::uint32_t identity) noexcept { identity_ = identity; }
  /// Before the first call: how many tensors of this name there have been before, so that nobody mistakes their
  /// messages.
  void set_generation(std::uint64_t generation) noexcept { generation_ = generation; }

  /// The tensor's id in message tags.
  static std::uint32_t id_of(std::string_view name) noexcept;

  // The coroutines of calls; `data` has the tensor's shape and stays valid until they end.
  Task all_reduce(std::byte* data, Op op);
  Task broadcast(std::byte* data, int root);
  Task mix(std::byte* data);
  Task push(std::byte* data);
  Task pull(std::byte* data, int& messages);
  /// Ends asynchronous gossip; before the engine ends.
  Task close_mailbox();

  [[nodiscard]] const std::string& name() const noexcept { return call_.name(); }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] const std::string& codec_spec() const noexcept { return spec_; }
  [[nodiscard]] bool exact() const noexcept { return in_place_ != nullptr && membership_.group == nullptr; }
  [[nodiscard]] CoroutineHome& home() noexcept { return call_; }
  [[nodiscard]] const TensorTotals& totals() const noexcept { return totals_; }
  /// This rank's share of the ranks' n, with which push-sum weighs its model; 1 for other methods.
  [[nodiscard]] double weight() const noexcept;
  [[nodiscard]] const Call& last_call() const noexcept { return call_; }
  /// Writes the last call into a timeline.
  void trace(Trace& trace, const char* operation, Clock::time_point start) const {
    trace.call(operation, call_, start);
  }
  /// What the choice of a way to reduce and the gossip method have to say of themselves, empty if nothing.
  [[nodiscard]] std::string describe() const;
  /// Bytes of slots, staging and residual.
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

  // State that outlives calls; not while a call is under way.
  void copy_residual(std::span<float> out);
  [[nodiscard]] double residual_norm();
  [[nodiscard]] std::size_t saved_bytes();
  void save(MutableBytes out);
  void load(Bytes in);
  void reset();
  /// Of the next all-reduce's gradient.
  void take_second_moments(std::span<const float> moments);

 private:
  struct Rounds;  // what a linear codec needs, in rounds.hpp
  struct Gossip;  // what goss_mix needs, in gossip.hpp
  struct Calls;   // the coroutines, in tensor_calls.cpp

  /// Numbers the call and the messages it sends. Number 63 of 64 is the registration's.
  Tag next_tag() noexcept { return Tag::of_call(id_of(name()), calls_++ % 63); }
  [[nodiscard]] StepContext context(std::uint64_t call, float input_scale) const noexcept;
  [[nodiscard]] bool chooses() const noexcept { return reductions_ && reductions_->chooses(); }
  [[nodiscard]] std::uint64_t fingerprint();
  /// The memory that outlives calls. A member's is its part of the group's, and of the codec's state all for the first.
  struct Kept {
    std::span<float> residual;
    std::span<float> state;
    std::uint64_t& calls;
    TensorCodec& codec;
    Reductions* reductions;  ///< null for a linear codec
    bool resets_codec;
  };
  [[nodiscard]] Kept kept();
  void forget_gossip();
  [[nodiscard]] const Weighted* weighted() const noexcept;  ///< what has a weight, if anything
  [[nodiscard]] std::string describe_missing(int rank) const;
  /// The gossip method's memory, once there is any.
  [[nodiscard]] std::vector<std::span<float>> kept_by_gossip() const;
  [[nodiscard]] std::span<const float> residual_of_now();

  World world_;
  Shape shape_;
  std::string spec_;
  std::shared_ptr<TensorCodec> codec_;       // under reduce=auto that of the first way; the others' keep no state
  InPlaceCodec* in_place_ = nullptr;         // the codec, if it is one
  LinearCodec* linear_ = nullptr;            // the codec, if it is one
  SharedMaxima* maxima_ = nullptr;           // the codec, if it is one
  Conditioner* conditioner_ = nullptr;       // the codec, if it is one
  OwnContribution* own_part_ = nullptr;      // the codec, if it is one and its vectors travel exactly
  std::unique_ptr<Reductions> reductions_;   // unless the codec is linear
  std::unique_ptr<InPlaceCodec> maximum_;    // with shared maxima
  std::unique_ptr<AllReduce> share_maxima_;  // with shared maxima
  std::unique_ptr<Rounds> rounds_;
  std::unique_ptr<Gossip> gossip_;                  // from prepare_gossip() on
  std::vector<std::unique_ptr<Gossip>> forgotten_;  // which messages may still reach
  std::unique_ptr<Asynchronous> mailbox_;           // from prepare_mailbox() on
  bool mailbox_open_ = false;
  std::vector<float> residual_;     // empty without error feedback
  std::vector<float> staged_;       // float32 copy of a tensor of another type, for lossy codecs
  std::vector<std::byte> records_;  // of the agreement, one per rank
  Call call_;
  std::uint64_t calls_ = 0;          // made so far: numbers messages and random streams
  std::uint64_t mixes_ = 0;          // calls of mix() among them,
  std::uint64_t gossip_rounds_ = 0;  // and those with an exchange: numbers the graphs of a topology that changes
  std::uint32_t identity_ = 0;
  std::uint64_t generation_ = 0;
  Membership membership_;
  TensorTotals totals_;
};

}  // namespace gossamer
