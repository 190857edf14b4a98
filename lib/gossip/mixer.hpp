#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/codec.hpp"
#include "topology/topology.hpp"

namespace gossamer {

/// What a rank says to its neighbours with the first message of a round.
struct Note {
  enum Flag : std::uint32_t {
    refused = 1,  ///< its model is not finite: it sends nothing, and nobody who hears this applies the round
    grew = 2,     ///< somebody's disagreement grew over the window before, see StepSize
  };
  std::uint32_t method = 0;  ///< hash of the mixing spec
  std::uint32_t flags = 0;
  double weight = 1;  ///< of push-sum
};

/// What a round of gossip works on.
struct GossipRound {
  const Neighbourhood& around;
  Chunk data;           ///< this rank's model: in the tensor's own type for methods that send it as it is, else floats
  StepContext context;  ///< of one rank, whose values are compressed on their own
  bool finite = true;   ///< otherwise there is nothing to give
};

/// A gossip method at work on one tensor: what neighbours are told, and what becomes of what they say. A round is
/// begin(), then for each message give() and take(), then end(). One thread at a time.
class Mixer {
 public:
  virtual ~Mixer() = default;

  /// Messages that every rank sends to every out-neighbour in a round, and the most bytes of one.
  [[nodiscard]] virtual std::size_t messages() const noexcept = 0;
  [[nodiscard]] virtual std::size_t capacity() const noexcept = 0;
  /// How many are given before the first of them is taken, 1 to kAhead: 1 if each depends on those taken before.
  [[nodiscard]] virtual std::size_t ahead() const noexcept { return kAhead; }

  virtual void begin(const GossipRound& round) = 0;
  /// Adds to what the neighbours are told; before the first give().
  virtual void tell(Note& note) const = 0;
  /// The `message`-th message, in `slot` of capacity() bytes or wherever it stays until it is the turn of take(): the
  /// same to all out-neighbours, unless this is Edgewise. Ascending; up to ahead() of them before they are taken.
  virtual Bytes give(std::size_t message, MutableBytes slot) = 0;
  /// The notes of all in-neighbours, in the order of the neighbourhood. From then on it is known whether the round is
  /// to be applied: if not, the model must stay as it is, while what the ranks know of each other goes on.
  virtual void hear(std::span<const Note> notes, bool applied) = 0;
  /// An in-neighbour of the round has died: of those of its messages that take() has not had, none will come. For what
  /// they were to say, this rank's own values take its place, so that weights sum to what they did. Before hear() if
  /// there is not even a note: hear() then has one of weight 0. Only of methods that survive.
  virtual void lose(std::size_t /*neighbour*/) {}
  /// The `message`-th message of each in-neighbour; empty from one that refused, or is lost.
  virtual void take(std::size_t message, std::span<const Bytes> arrived) = 0;
  virtual void end() = 0;

  /// What outlives rounds and goes into `goss_tensor_save`: always the same memory.
  [[nodiscard]] virtual std::vector<std::span<float>> state() = 0;
  [[nodiscard]] virtual std::size_t memory_bytes() const noexcept = 0;

  static constexpr std::size_t kAhead = 4;
};

/// A Mixer that tells each out-neighbour something else: give() is called for each of them, after turn_to().
class Edgewise {
 public:
  virtual ~Edgewise() = default;
  /// What is given next is for this out-neighbour, by the order of the neighbourhood.
  virtual void turn_to(std::size_t neighbour) noexcept = 0;
};

/// A Mixer some of whose rounds all ranks must agree on a number, once.
class Negotiator {
 public:
  virtual ~Negotiator() = default;
  /// Between the last take() and end(): this rank's number if the round is one of those, which all ranks say alike.
  /// Before the first round: nothing if there never will be one.
  [[nodiscard]] virtual std::optional<float> proposal() = 0;
  virtual void settle(std::span<const float> proposals) = 0;
  /// What came of it, for goss_comm_describe.
  [[nodiscard]] virtual std::string describe() const = 0;
};

/// A Mixer that is unbiased on directed graphs since a weight travels with the values.
class Weighted {
 public:
  virtual ~Weighted() = default;
  [[nodiscard]] virtual double weight() const noexcept = 0;
  /// What of it went to that rank and has not come back; below 0 if more came than went.
  [[nodiscard]] virtual double given_to(int rank) const noexcept = 0;
};

/// A Mixer that has looked at every value of the result while it was at hand, which spares a pass over the model.
class Inspector {
 public:
  virtual ~Inspector() = default;
  /// After end().
  [[nodiscard]] virtual bool result_finite() const noexcept = 0;
};

/// What a method is made for.
struct MixingSetup {
  Shape shape;
  std::string codec;  ///< in force for the tensor
  const Topology& topology;
  int rank = 0;
  bool survives = false;  ///< neighbours may be lost
};

/// What must sum to 1 in the mixing matrix.
enum class Stochastic { nothing, rows, columns, both };

/// One line of the registry.
struct MixingEntry {
  std::string_view name;
  std::string_view summary;
  Stochastic needs;  ///< of the graph's weights
  bool fixed_graph;  ///< what it remembers belongs to the neighbours it has: no graph that changes from round to round
  bool compresses;   ///< sends what the tensor's codec makes; otherwise the tensor has to go uncompressed
  bool in_own_type;  ///< works on the tensor's type, whatever it is; otherwise on floats
  bool survives = false;  ///< goes on without neighbours that die, see Mixer::lose()
  std::span<const Key> keys;
  /// Null: a round is a mean by an all-reduce, the tensor's or a group's, which has no need of a Mixer.
  std::unique_ptr<Mixer> (*make)(const Options& options, const MixingSetup& setup);
  bool two_way = false;    ///< whoever hears from a neighbour is heard by it, with equal weight: symmetric matrices
  bool pairwise = false;   ///< has no rounds: it is what goss_push and goss_pull do
  bool in_groups = false;  ///< the graph consists of groups, within each of which a round is an all-reduce
};

std::span<const MixingEntry> mixings() noexcept;

/// What gossip is configured to do.
struct GossipChoice {
  std::string_view mixing = "average";
  std::string_view outer = "none";  ///< optimiser over exchanges, see OuterOptimiser
  std::uint64_t every = 1;          ///< calls for an exchange,
  std::uint64_t every_from = 0;     ///< after so many of which each has one
  /// Pushes by which a rank may be ahead of an in-neighbour; none: any number.
  std::optional<std::uint64_t> staleness;

  [[nodiscard]] bool exchanges(std::uint64_t call) const noexcept {
    return call < every_from || (call - every_from + 1) % every == 0;
  }
};

/// Throws `argument` for an unknown method, key or value.
const MixingEntry& find_mixing(std::string_view spec);
/// Throws `argument` if the graph changes, goes one way, has no groups, or has weights that do not sum to what the
/// method needs, naming a rank.
void check_graph(const MixingEntry& entry, const Topology& topology);
/// Throws `argument` if the method cannot go on without ranks that die, naming those that can.
void expect_survival(const MixingEntry& entry);
/// The second half of check_graph(), for whoever `needs` them to.
void expect_stochastic(std::string_view who, Stochastic needs, const Topology& topology);
std::unique_ptr<Mixer> make_mixer(std::string_view spec, const MixingSetup& setup);

}  // namespace gossamer
