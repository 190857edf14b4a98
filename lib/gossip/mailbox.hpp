#pragma once

#include <deque>

#include "lib/base/dtype.hpp"
#include "lib/buffer.hpp"
#include "lib/call.hpp"
#include "lib/gossip/weight_ledger.hpp"
#include "topology/topology.hpp"

namespace gossamer {

/// Asynchronous push-sum: shares of a model's mass, sent and received without waiting for anybody.
///
/// A rank has a weight w, at first 1. A push gives every out-neighbour j the share a_ji of the mass: the model and the
/// weight a_ji·w, which this rank then lacks. A pull makes the model the mean, by weight, of itself and of what has
/// arrived. Weights and what is in flight always sum to n. A neighbour answers a message, when it has taken it, with an
/// empty one. Until then it gets nothing: its share stays here, so that nothing waits, piles up, or is lost. Nor does a
/// neighbour that has died get anything; a message that was under way to it then is lost with it.
///
/// Its functions run on the driving thread, as messages must, and suspend only to find out what became of a neighbour
/// whose connection is lost.
class Mailbox {
 public:
  /// Messages have two tags of the caller's, which nobody else may use.
  struct Tags {
    Tag letters;
    Tag credits;
  };
  Mailbox(Engine& engine, const Topology& topology, int rank, const Tags& tags, const Shape& shape);

  /// Posts the receives; once, before the others.
  static Task open(Call& call, Mailbox& self);
  static Task push(Call& call, Mailbox& self, Bytes model);
  /// `messages`: how many were folded in.
  static Task pull(Call& call, Mailbox& self, MutableBytes model, int& messages);
  /// Gives up on what is under way. The mailbox must stay until the endpoint has gone.
  static Task close(Call& call, Mailbox& self);

  /// What is to be saved, with the weight.
  struct Account {
    double weight = 1;
    std::uint64_t pushes = 0;
  };
  [[nodiscard]] const Account& account() const noexcept { return account_; }
  void restore(const Account& account) noexcept {
    account_ = account;
    ledger_ = {};
  }
  /// What of the weight went to that rank and has not come back, since the account was opened or restored.
  [[nodiscard]] double given_to(int rank) const noexcept { return ledger_.given_to(rank); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  /// A share of weight as a double, then the model: to or from one neighbour, one at a time.
  struct Letter {
    Letter(Engine& engine, int neighbour, std::size_t model)
        : rank(neighbour), bytes(sizeof(double) + model), flight(engine), credit(engine) {}
    int rank;
    Buffer bytes;
    Flight flight;
    Flight credit;
  };

  void receive(Call& call, Letter& letter) const;
  void fold(const Letter& letter, std::size_t bytes, MutableBytes model);

  const Topology& topology_;
  int rank_;
  Tags tags_;
  DType dtype_;
  std::size_t bytes_;
  std::deque<Letter> inbox_;
  std::deque<Letter> outbox_;
  Account account_;
  WeightLedger ledger_;
};

}  // namespace gossamer
