#include "lib/gossip/mailbox.hpp"

#include <algorithm>
#include <cmath>

#include "compress/kernels.hpp"

namespace gossamer {
namespace {

constexpr int kPasses = 4;              // over the senders in a pull: nobody can keep a rank at its mailbox
constexpr double kLeastShare = 1e-200;  // of weight: what is less stays

}  // namespace

Mailbox::Mailbox(Engine& engine, const Topology& topology, int rank, const Rules& rules, const Shape& shape)
    : topology_(topology), rank_(rank), rules_(rules), dtype_(shape.dtype), bytes_(shape.bytes()) {
  for (const int sender : neighbours_of(topology, rank, &Neighbourhood::in))
    inbox_.emplace_back(engine, sender, bytes_);
  for (const int other : neighbours_of(topology, rank, &Neighbourhood::out))
    outbox_.emplace_back(engine, other, bytes_);
}

std::size_t Mailbox::memory_bytes() const noexcept {
  return (inbox_.size() + outbox_.size()) * (sizeof(Header) + bytes_);
}

void Mailbox::restore(const Account& account) noexcept {
  account_ = account;
  ledger_ = {};
  for (Letter& letter : inbox_) letter.pushes = account.pushes;
}

void Mailbox::receive(Call& call, Letter& letter) const {
  letter.flight.receive(letter.rank, rules_.letters.from_rank(Phase::push, letter.rank), letter.bytes.bytes(),
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
    const Header header{edge.weight * whole, self.account_.pushes};
    if (letter.flight.under_way() || letter.credit.under_way() || !(header.share > kLeastShare)) {
      if (self.rules_.staleness) co_await note(call, self, letter);
      continue;
    }
    // Of the message before: they say so if it failed.
    const std::optional<std::size_t> sent = co_await letter.flight.outcome(call);
    const std::optional<std::size_t> taken = co_await letter.credit.outcome(call);
    if (!sent || !taken) continue;
    std::memcpy(letter.bytes.bytes().data(), &header, sizeof header);
    std::ranges::copy(model, letter.bytes.bytes().begin() + sizeof header);
    letter.flight.send(edge.rank, self.rules_.letters.from_rank(Phase::push, self.rank_), letter.bytes.bytes(),
                       call.traffic);
    letter.credit.receive(edge.rank, self.rules_.credits.from_rank(Phase::push, edge.rank), {}, call.traffic);
    self.account_.weight -= header.share;
    self.ledger_.gave(edge.rank, header.share);
  }
}

/// How many are under way is bounded, too: by what the neighbours' neighbours let this rank be ahead.
Task Mailbox::note(Call& call, Mailbox& self, Letter& letter) {
  auto free = std::ranges::find_if(letter.notes, [](const PushNote& note) { return !note.flight.under_way(); });
  if (free == letter.notes.end()) {
    letter.notes.emplace_back(call.engine);
    free = std::prev(letter.notes.end());
  }
  if (!(co_await free->flight.outcome(call)).has_value()) co_return;
  free->header.pushes = self.account_.pushes;
  free->flight.send(letter.rank, self.rules_.letters.from_rank(Phase::push, self.rank_),
                    std::as_bytes(std::span(&free->header, 1)), call.traffic);
}

Task Mailbox::pull(Call& call, Mailbox& self, MutableBytes model, int& messages) {
  messages = 0;
  bool any = true;
  for (int pass = 0; pass < kPasses && any; ++pass) {
    any = false;
    for (Letter& letter : self.inbox_) {
      if (letter.flight.under_way()) continue;
      co_await take(call, self, letter, model, messages);
      any = true;
    }
  }
  for (Letter& letter : self.inbox_) {
    while (self.late(letter) && !call.engine.dead(letter.rank)) {
      call.at("keeping pace,", letter.pushes, self.account_.pushes);
      co_await take(call, self, letter, model, messages);
    }
  }
}

/// What has come, or comes, from a neighbour: nothing if it dies.
Task Mailbox::take(Call& call, Mailbox& self, Letter& letter, MutableBytes model, int& messages) {
  const std::optional<std::size_t> bytes = co_await letter.flight.outcome(call);
  if (!bytes) co_return;
  call.traffic.received += *bytes;
  Header header;
  if (*bytes >= sizeof header) std::memcpy(&header, letter.bytes.bytes().data(), sizeof header);
  const bool note = *bytes == sizeof header && header.share == 0;
  if (!note) {
    const bool whole = *bytes == sizeof header + self.bytes_;
    if (!whole || !(header.share > 0) || header.share > self.topology_.size()) {
      fail(Status::corrupt, "rank ", letter.rank, " pushed ", *bytes, " bytes of weight ", header.share, " where ",
           sizeof header + self.bytes_, " bytes were expected");
    }
    self.fold(letter, header.share, model);
    const std::optional<std::size_t> credited = co_await letter.credit.outcome(call);
    if (credited && !call.engine.dead(letter.rank)) {
      letter.credit.send(letter.rank, self.rules_.credits.from_rank(Phase::push, self.rank_), {}, call.traffic);
    }
    ++messages;
  }
  letter.pushes = header.pushes;
  self.receive(call, letter);
}

/// The mean by weight of the model and of what has arrived.
void Mailbox::fold(const Letter& letter, double share, MutableBytes model) {
  const double sum = account_.weight + share;
  kernels::rescale(dtype_, model, account_.weight / sum);
  kernels::add_scaled(dtype_, model, Bytes(letter.bytes.bytes()).subspan(sizeof(Header)), share / sum);
  account_.weight = sum;
  ledger_.got(letter.rank, share);
}

Task Mailbox::close(Call&, Mailbox& self) {
  for (std::deque<Letter>* box : {&self.inbox_, &self.outbox_}) {
    for (Letter& letter : *box) {
      letter.flight.land(), letter.credit.land();
      for (PushNote& note : letter.notes) note.flight.land();
    }
  }
  co_return;
}

}  // namespace gossamer
