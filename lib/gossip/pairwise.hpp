#pragma once

#include <atomic>
#include <deque>

#include "lib/base/dtype.hpp"
#include "lib/base/philox.hpp"
#include "lib/buffer.hpp"
#include "lib/gossip/asynchronous.hpp"

namespace gossamer {

/// AD-PSGD (Lian, Zhang, Zhang, Liu, "Asynchronous decentralized parallel stochastic gradient descent", ICML 2018):
/// two ranks at a time average their models.
///
/// A push makes the caller's model this rank's and asks a random neighbour to average: it sends the model, and gets the
/// neighbour's as it was. Whoever is asked answers between calls as well, and at once; while its own question is open,
/// by a refusal. So both models become the mean of what they were, nobody waits for anybody, and there is no circle of
/// askers. Two ranks that ask each other take the questions for answers. A pull adds what exchanges have changed to the
/// caller's model, whatever the caller has done to it meanwhile.
class Pairwise final : public Asynchronous, public Attendant {
 public:
  /// Messages have two tags of the caller's, which nobody else may use; neighbours are drawn from `draws`.
  struct Rules {
    Tag questions;
    Tag answers;
    RandomStream draws;
  };
  Pairwise(Engine& engine, const Topology& topology, const Rules& rules, const Shape& shape);

  Task open(Call& call) override { return open(call, *this); }
  Task push(Call& call, Bytes model) override { return push(call, *this, model); }
  Task pull(Call& call, MutableBytes model, int& messages) override { return pull(call, *this, model, messages); }
  Task close(Call& call) override { return close(call, *this); }
  [[nodiscard]] const Account& account() const noexcept override { return account_; }
  void restore(const Account& account) noexcept override;
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;

  bool attend() override;

 private:
  /// Before the model in a question. Questions and answers may overtake each other; this tells whether the sender had
  /// answered this rank's last question.
  struct Header {
    std::uint64_t answered = 0;
  };
  struct Peer {
    Peer(Engine& engine, int neighbour, std::size_t model)
        : rank(neighbour), question(sizeof(Header) + model), answer(model), asks(engine), answers(engine) {}
    int rank;
    Buffer question;  ///< from it
    Buffer answer;    ///< to it
    Flight asks;
    Flight answers;
    std::uint64_t asked = 0;     ///< by this rank,
    std::uint64_t answered = 0;  ///< by this rank
    bool gone = false;           ///< the connection is lost
  };
  /// How a question ends: with the model, or one of these, which are shorter.
  enum class Answer : std::uint8_t { refused, asked_too };

  static Task open(Call& call, Pairwise& self);
  static Task push(Call& call, Pairwise& self, Bytes model);
  static Task pull(Call& call, Pairwise& self, MutableBytes model, int& messages);
  static Task close(Call& call, Pairwise& self);

  void forget();
  void listen(Peer& peer);
  void ask(Peer& peer);
  bool conclude();
  bool give_up();
  bool answer(Peer& peer);
  void send_answer(Peer& peer, std::size_t bytes);
  MutableBytes write_model(MutableBytes out) const;
  void move_halfway(Bytes from, Bytes to);
  [[nodiscard]] bool sound(const Flight& flight, int rank, std::size_t bytes);

  Engine& engine_;
  const Topology& topology_;
  Rules rules_;
  DType dtype_;
  std::size_t bytes_;
  std::deque<Peer> peers_;
  Buffer own_;     ///< the caller's model at the last push or pull; with `change_` this rank's
  Buffer change_;  ///< what exchanges have added that the caller has not got
  bool begun_ = false;
  std::atomic<bool> restored_ = false;  ///< by the caller, between calls: the next to run here forgets
  Peer* asked_ = nullptr;               ///< whose answer has not come
  bool asked_too_ = false;              ///< its question has, and is taken for the answer
  Buffer question_;                     ///< to it
  Buffer answer_;                       ///< from it
  Flight asking_;
  Flight answering_;
  int exchanges_ = 0;  ///< since the last pull
  Traffic traffic_;    ///< since the last call
  Account account_;
};

}  // namespace gossamer
