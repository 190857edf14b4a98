#include "lib/gossip/mailbox.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "compress/kernels.hpp"

namespace gossamer {
namespace {

constexpr int kPasses = 4;              // over the senders in a pull: nobody can keep a rank at its mailbox
constexpr double kLeastShare = 1e-200;  // of weight: what is less stays

std::vector<int> neighbours_of(const Topology& topology, int rank, std::vector<Edge> Neighbourhood::*side) {
  std::set<int> ranks;
  for (std::uint64_t round = 0; round < topology.period(); ++round) {
    const Neighbourhood around = topology.at(rank, round);
    for (const Edge& edge : around.*side) ranks.insert(edge.rank);
  }
  return {ranks.begin(), ranks.end()};
}

}  // namespace

Mailbox::Mailbox(Engine& engine, const Topology& topology, int rank, const Tags& tags, const Shape& shape)
    : topology_(topology), rank_(rank), tags_(tags), dtype_(shape.dtype), bytes_(shape.bytes()) {
  for (const int sender : neighbours_of(topology, rank, &Neighbourhood::in))
    inbox_.emplace_back(engine, sender, bytes_);
  for (const int other : neighbours_of(topology, rank, &Neighbourhood::out))
    outbox_.emplace_back(engine, other, bytes_);
}

std::size_t Mailbox::memory_bytes() const noexcept {
  return (inbox_.size() + outbox_.size()) * (sizeof(double) + bytes_);
}

void Mailbox::receive(Call& call, Letter& letter) const {
  letter.flight.receive(letter.rank, tags_.letters.from_rank(Phase::push, letter.rank), letter.bytes.bytes(),
                        call.traffic);
}

Task Mailbox::open(Call& call, Mailbox& self) {
  for (Letter& letter : self.inbox_) self.receive(call, letter);
  co_return;
}

Task Mailbox::push(Call& call, Mailbox& self, Bytes model) {
  const Neighbourhood around = self.topology_.at(self.rank_, self.account_.pushes++);
  const double whole = self.account_.weight;
  for (const Edge& edge : around.out) {
    if (call.engine.dead(edge.rank)) continue;
    Letter& letter = *std::ranges::find(self.outbox_, edge.rank, &Letter::rank);
    const double share = edge.weight * whole;
    if (letter.flight.under_way() || letter.credit.under_way() || !(share > kLeastShare)) continue;
    // Of the message before: they say so if it failed.
    const std::optional<std::size_t> sent = co_await letter.flight.outcome(call);
    const std::optional<std::size_t> taken = co_await letter.credit.outcome(call);
    if (!sent || !taken) continue;
    std::memcpy(letter.bytes.bytes().data(), &share, sizeof share);
    std::ranges::copy(model, letter.bytes.bytes().begin() + sizeof share);
    letter.flight.send(edge.rank, self.tags_.letters.from_rank(Phase::push, self.rank_), letter.bytes.bytes(),
                       call.traffic);
    letter.credit.receive(edge.rank, self.tags_.credits.from_rank(Phase::push, edge.rank), {}, call.traffic);
    self.account_.weight -= share;
    self.ledger_.gave(edge.rank, share);
  }
}

Task Mailbox::pull(Call& call, Mailbox& self, MutableBytes model, int& messages) {
  messages = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const int before = messages;
    for (Letter& letter : self.inbox_) {
      if (letter.flight.under_way()) continue;
      const std::optional<std::size_t> bytes = co_await letter.flight.outcome(call);
      if (!bytes) continue;
      call.traffic.received += *bytes;
      self.fold(letter, *bytes, model);
      const std::optional<std::size_t> credited = co_await letter.credit.outcome(call);
      if (credited && !call.engine.dead(letter.rank)) {
        letter.credit.send(letter.rank, self.tags_.credits.from_rank(Phase::push, self.rank_), {}, call.traffic);
      }
      self.receive(call, letter);
      ++messages;
    }
    if (messages == before) break;
  }
}

/// The mean by weight of the model and of what has arrived.
void Mailbox::fold(const Letter& letter, std::size_t bytes, MutableBytes model) {
  double share = 0;
  std::memcpy(&share, letter.bytes.bytes().data(), sizeof share);
  if (bytes != sizeof share + bytes_ || !(share > 0) || share > topology_.size()) {
    fail(Status::corrupt, "rank ", letter.rank, " pushed ", bytes, " bytes of weight ", share, " where ",
         sizeof share + bytes_, " bytes were expected");
  }
  const double sum = account_.weight + share;
  kernels::rescale(dtype_, model, account_.weight / sum);
  kernels::add_scaled(dtype_, model, Bytes(letter.bytes.bytes()).subspan(sizeof share), share / sum);
  account_.weight = sum;
  ledger_.got(letter.rank, share);
}

Task Mailbox::close(Call&, Mailbox& self) {
  for (std::deque<Letter>* box : {&self.inbox_, &self.outbox_}) {
    for (Letter& letter : *box) letter.flight.land(), letter.credit.land();
  }
  co_return;
}

}  // namespace gossamer
