#pragma once

#include <deque>
#include <optional>

#include "lib/base/dtype.hpp"
#include "lib/buffer.hpp"
#include "lib/gossip/asynchronous.hpp"
#include "lib/gossip/mixer.hpp"
#include "lib/gossip/weight_ledger.hpp"

namespace gossamer {

/// Asynchronous push-sum: shares of a model's mass, sent and received without waiting for anybody.
///
/// A rank has a weight w, at first 1. A push gives every out-neighbour j the share a_ji of the mass: the model and the
/// weight a_ji·w, which this rank then lacks. A pull makes the model the mean, by weight, of itself and of what has
/// arrived. Weights and what is in flight always sum to n. A neighbour answers a message, when it has taken it, with an
/// empty one. Until then it gets no other: its share stays here, so that nothing waits, piles up, or is lost. Nor does
/// a neighbour that has died get anything; a message that was under way to it then is lost with it.
///
/// With bounded staleness a pull waits until no in-neighbour has pushed less often than this rank, less the bound, as
/// far as this rank has been told: in a letter, or by a note of 16 bytes in its place. Ranks that push equally often so
/// never wait for each other in a circle: whoever has pushed least waits for nobody.
///
/// Its functions run on the driving thread, as messages must, and suspend only for that, and to find out what became of
/// a neighbour whose connection is lost.
class Mailbox final : public Asynchronous, public Weighted {
 public:
  /// Messages have two tags of the caller's, which nobody else may use.
  struct Rules {
    Tag letters;
    Tag credits;
    std::optional<std::uint64_t> staleness;  ///< for a graph that stays
  };
  Mailbox(Engine& engine, const Topology& topology, int rank, const Rules& rules, const Shape& shape);

  Task open(Call& call) override { return open(call, *this); }
  Task push(Call& call, Bytes model) override { return push(call, *this, model); }
  Task pull(Call& call, MutableBytes model, int& messages) override { return pull(call, *this, model, messages); }
  Task close(Call& call) override { return close(call, *this); }
  [[nodiscard]] const Account& account() const noexcept override { return account_; }
  /// Neighbours are taken to have pushed as often.
  void restore(const Account& account) noexcept override;
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;

  [[nodiscard]] double weight() const noexcept override { return account_.weight; }
  /// Since the account was opened or restored.
  [[nodiscard]] double given_to(int rank) const noexcept override { return ledger_.given_to(rank); }

 private:
  struct Header {
    double share = 0;          ///< of weight; 0: a note that stands for a push, with nothing behind it
    std::uint64_t pushes = 0;  ///< the sender's, this one included
  };
  struct PushNote {
    explicit PushNote(Engine& engine) : flight(engine) {}
    Header header;
    Flight flight;
  };
  /// A header, then the model: to or from one neighbour, one at a time.
  struct Letter {
    Letter(Engine& engine, int neighbour, std::size_t model)
        : rank(neighbour), bytes(sizeof(Header) + model), flight(engine), credit(engine) {}
    int rank;
    Buffer bytes;
    Flight flight;
    Flight credit;
    std::deque<PushNote> notes;  ///< to an out-neighbour: on their way
    std::uint64_t pushes = 0;    ///< of an in-neighbour, as far as known
  };

  static Task open(Call& call, Mailbox& self);
  static Task push(Call& call, Mailbox& self, Bytes model);
  static Task pull(Call& call, Mailbox& self, MutableBytes model, int& messages);
  static Task close(Call& call, Mailbox& self);
  static Task note(Call& call, Mailbox& self, Letter& letter);
  /// What an in-neighbour has sent, once it is there.
  static Task take(Call& call, Mailbox& self, Letter& letter, MutableBytes model, int& messages);
  void receive(Call& call, Letter& letter) const;
  void fold(const Letter& letter, double share, MutableBytes model);
  [[nodiscard]] bool late(const Letter& letter) const noexcept {
    return rules_.staleness && account_.pushes > letter.pushes && account_.pushes - letter.pushes > *rules_.staleness;
  }

  const Topology& topology_;
  int rank_;
  Rules rules_;
  DType dtype_;
  std::size_t bytes_;
  std::deque<Letter> inbox_;
  std::deque<Letter> outbox_;
  Account account_;
  WeightLedger ledger_;
};

}  // namespace gossamer
