#include "lib/gossip/pairwise.hpp"

#include <algorithm>
#include <utility>

#include "compress/kernels.hpp"
#include "lib/gossip/entries.hpp"

namespace gossamer {

Pairwise::Pairwise(Engine& engine, const Topology& topology, const Rules& rules, const Shape& shape)
    : engine_(engine),
      topology_(topology),
      rules_(rules),
      dtype_(shape.dtype),
      bytes_(shape.bytes()),
      own_(bytes_),
      change_(bytes_),
      question_(sizeof(Header) + bytes_),
      answer_(std::max(bytes_, sizeof(Answer))),
      asking_(engine),
      answering_(engine) {
  for (const int neighbour : neighbours_of(topology, engine.rank(), &Neighbourhood::in))
    peers_.emplace_back(engine, neighbour, answer_.bytes().size());
  std::ranges::fill(change_.bytes(), std::byte{0});
}

std::size_t Pairwise::memory_bytes() const noexcept {
  return 4 * bytes_ + 2 * bytes_ * peers_.size();
}

void Pairwise::restore(const Account& account) noexcept {
  account_ = account;
  restored_ = true;
}

/// The model before a restore, and what exchanges have changed of it.
void Pairwise::forget() {
  if (!restored_.exchange(false)) return;
  begun_ = false;
  exchanges_ = 0;
  std::ranges::fill(change_.bytes(), std::byte{0});
}

// ---- Calls ----------------------------------------------------------------------------------------------------------

Task Pairwise::open(Call& call, Pairwise& self) {
  for (Peer& peer : self.peers_) self.listen(peer);
  call.engine.attend_to(self);
  co_return;
}

Task Pairwise::push(Call& call, Pairwise& self, Bytes model) {
  self.forget();
  std::ranges::copy(model, self.own_.bytes().begin());
  self.begun_ = true;
  const std::vector<Edge> around = self.topology_.at(call.engine.rank(), self.account_.pushes).out;
  const std::uint32_t draw = self.rules_.draws.words(self.account_.pushes++)[0];
  if (self.asked_ == nullptr && !around.empty())
    self.ask(*std::ranges::find(self.peers_, around[draw % around.size()].rank, &Peer::rank));
  call.traffic = std::exchange(self.traffic_, {});
  co_return;
}

Task Pairwise::pull(Call& call, Pairwise& self, MutableBytes model, int& messages) {
  self.forget();
  if (!std::exchange(self.begun_, true)) std::ranges::copy(model, self.own_.bytes().begin());
  for (const MutableBytes each : {model, self.own_.bytes()})
    kernels::add_scaled(self.dtype_, each, self.change_.bytes(), 1);
  std::ranges::fill(self.change_.bytes(), std::byte{0});
  messages = std::exchange(self.exchanges_, 0);
  call.traffic = std::exchange(self.traffic_, {});
  co_return;
}

Task Pairwise::close(Call& call, Pairwise& self) {
  call.engine.dismiss(self);
  for (Peer& peer : self.peers_) peer.asks.land(), peer.answers.land();
  self.asking_.land();
  self.answering_.land();
  co_return;
}

// ---- Messages -------------------------------------------------------------------------------------------------------

bool Pairwise::attend() {
  forget();
  if (!begun_) return false;
  bool any = conclude();
  for (Peer& peer : peers_) any |= answer(peer);
  return any;
}

void Pairwise::listen(Peer& peer) {
  peer.asks.receive(peer.rank, rules_.questions.from_rank(Phase::push, peer.rank), peer.question.bytes(), traffic_);
}

void Pairwise::ask(Peer& peer) {
  if (peer.gone) return;
  const Header header{peer.answered};
  std::memcpy(question_.bytes().data(), &header, sizeof header);
  write_model(question_.bytes().subspan(sizeof header));
  answering_.receive(peer.rank, rules_.answers.from_rank(Phase::push, peer.rank), answer_.bytes(), traffic_);
  asking_.send(peer.rank, rules_.questions.from_rank(Phase::push, engine_.rank()), question_.bytes(), traffic_);
  ++peer.asked;
  asked_ = &peer;
  asked_too_ = false;
}

/// Nobody answers on a connection that is lost: the others are still there to be asked.
bool Pairwise::give_up() {
  asking_.land();
  answering_.land();
  asked_->gone = true;
  asked_ = nullptr;
  return true;
}

/// Takes the answer to this rank's question, if it is there.
bool Pairwise::conclude() {
  if (asked_ == nullptr) return false;
  const auto lost = [](const Flight& flight) { return !flight.under_way() && flight.status() == Status::peer; };
  if (lost(asking_) || lost(answering_)) return give_up();
  if (asking_.under_way() || answering_.under_way()) return false;
  const bool model = answering_.bytes() != sizeof(Answer);
  if (!sound(answering_, asked_->rank, model ? bytes_ : sizeof(Answer))) return false;
  if (model) {
    move_halfway(Bytes(question_.bytes()).subspan(sizeof(Header)), answer_.bytes().first(bytes_));
  } else if (answer_.bytes()[0] == std::byte{static_cast<std::uint8_t>(Answer::asked_too)} && !asked_too_) {
    return false;  // its question is on the way
  }
  traffic_.received += answering_.bytes();
  asked_ = nullptr;
  return true;
}

/// Answers a neighbour's question, if there is one.
bool Pairwise::answer(Peer& peer) {
  if (peer.asks.under_way() || peer.answers.under_way()) return false;
  if (!sound(peer.asks, peer.rank, sizeof(Header) + bytes_)) return false;
  Header header;
  std::memcpy(&header, peer.question.bytes().data(), sizeof header);
  if (asked_ == &peer && header.answered >= peer.asked) return false;  // its answer, sent before this, is on the way
  const Bytes theirs = Bytes(peer.question.bytes()).subspan(sizeof header);
  if (asked_ == nullptr) {
    move_halfway(write_model(peer.answer.bytes().first(bytes_)), theirs);
    send_answer(peer, bytes_);
  } else {
    const bool mutual = asked_ == &peer;
    if (mutual) move_halfway(Bytes(question_.bytes()).subspan(sizeof header), theirs);
    asked_too_ |= mutual;
    peer.answer.bytes()[0] = std::byte{static_cast<std::uint8_t>(mutual ? Answer::asked_too : Answer::refused)};
    send_answer(peer, sizeof(Answer));
  }
  traffic_.received += peer.question.bytes().size();
  ++peer.answered;
  listen(peer);
  return true;
}

void Pairwise::send_answer(Peer& peer, std::size_t bytes) {
  peer.answers.send(peer.rank, rules_.answers.from_rank(Phase::push, engine_.rank()),
                    Bytes(peer.answer.bytes()).first(bytes), traffic_);
}

/// This rank's model as it is.
MutableBytes Pairwise::write_model(MutableBytes out) const {
  std::ranges::copy(own_.bytes(), out.begin());
  kernels::add_scaled(dtype_, out, change_.bytes(), 1);
  return out;
}

void Pairwise::move_halfway(Bytes from, Bytes to) {
  kernels::add_scaled(dtype_, change_.bytes(), to, 0.5);
  kernels::add_scaled(dtype_, change_.bytes(), from, -0.5);
  ++exchanges_;
}

/// Whether a message is what it should be. What became of a lost connection the lifelines know.
bool Pairwise::sound(const Flight& flight, int rank, std::size_t bytes) {
  if (flight.status() == Status::ok && flight.bytes() == bytes) return true;
  if (flight.status() != Status::peer) {
    engine_.fail_all(
        {rank, Status::corrupt,
         sentence("rank ", rank, " sent ", flight.bytes(), " bytes to average with, where ", bytes, " were expected")});
  }
  return false;
}

MixingEntry pairwise_mixing() noexcept {
  return {.name = "pairwise",
          .summary = "goss_push and goss_pull average with one neighbour at a time; no rounds (AD-PSGD)",
          .needs = Stochastic::nothing,
          .fixed_graph = false,
          .compresses = false,
          .in_own_type = true,
          .keys = {},
          .make = nullptr,
          .two_way = true,
          .pairwise = true};
}

}  // namespace gossamer
