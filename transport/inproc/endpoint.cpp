#include <sched.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "transport/entries.hpp"
#include "transport/inproc/directory.hpp"

namespace gossamer {
namespace {

using inproc::Mailbox;
using inproc::Operation;

class InprocEndpoint final : public Endpoint {
 public:
  explicit InprocEndpoint(const EndpointContext& context)
      : rank_(context.rank),
        mailbox_(std::make_shared<Mailbox>()),
        address_(inproc::publish(mailbox_)),
        peers_(static_cast<std::size_t>(context.size)) {}

  ~InprocEndpoint() override;

  [[nodiscard]] std::vector<std::byte> address() const override {
    std::vector<std::byte> bytes(sizeof address_);
    std::memcpy(bytes.data(), &address_, sizeof address_);
    return bytes;
  }
  void connect(int peer, Bytes address, bool same_host) override;
  void send(int peer, std::uint64_t tag, Bytes data, Transfer& transfer) override;
  void receive(int peer, std::uint64_t tag, MutableBytes buffer, Transfer& transfer) override;
  bool progress() override;
  void abandon(Transfer& transfer) noexcept override;
  [[nodiscard]] int event_fd() const noexcept override { return mailbox_->event_fd(); }
  bool arm() override { return mailbox_->arm(); }
  [[nodiscard]] std::string describe() const override;

 private:
  static constexpr std::size_t kBlock = 64;

  Mailbox& peer_mailbox(int peer) const;
  Operation& new_operation(int peer, Transfer& transfer);
  void recycle(Operation& operation) noexcept;
  void finish(Operation& operation, Transfer& transfer) noexcept;

  int rank_;
  std::shared_ptr<Mailbox> mailbox_;
  inproc::Address address_;
  std::vector<std::shared_ptr<Mailbox>> peers_;  ///< by rank; null when not connected
  std::vector<std::unique_ptr<std::array<Operation, kBlock>>> blocks_;
  Operation* unused_ = nullptr;
  std::size_t in_use_ = 0;
};

InprocEndpoint::~InprocEndpoint() {
  inproc::retract(address_);
  for (const auto& block : blocks_) {
    for (Operation& operation : *block) {
      if (operation.place == nullptr) continue;
      operation.transfer = nullptr;
      if (operation.place->withdraw(operation)) recycle(operation);
    }
  }
  mailbox_->close(rank_);
  // What is left is being copied from or into our callers' buffers by a peer's thread at this moment.
  while (in_use_ > 0) {
    if (!progress()) ::sched_yield();
  }
}

void InprocEndpoint::connect(int peer, Bytes address, bool /*same_host*/) {
  std::shared_ptr<Mailbox> mailbox = inproc::find_mailbox(address, peer);
  if (mailbox == nullptr || !mailbox->follow(mailbox_)) {
    fail(Status::system, "transport inproc: rank ", peer, " has closed its endpoint already");
  }
  peers_.at(static_cast<std::size_t>(peer)) = std::move(mailbox);
}

Mailbox& InprocEndpoint::peer_mailbox(int peer) const {
  const auto index = static_cast<std::size_t>(peer);
  if (index >= peers_.size() || peers_[index] == nullptr) {
    fail(Status::internal, "transport inproc: rank ", rank_, " is not connected to rank ", peer);
  }
  return *peers_[index];
}

Operation& InprocEndpoint::new_operation(int peer, Transfer& transfer) {
  if (unused_ == nullptr) {
    blocks_.push_back(std::make_unique<std::array<Operation, kBlock>>());
    for (Operation& operation : *blocks_.back()) {
      operation.next = unused_;
      unused_ = &operation;
    }
  }
  Operation& operation = *unused_;
  unused_ = operation.next;
  ++in_use_;
  operation.transfer = &transfer;
  operation.owner = mailbox_.get();
  transfer.peer = peer;
  transfer.handle = &operation;
  transfer.state = Transfer::State::pending;
  transfer.status = Status::ok;
  transfer.bytes = 0;
  return operation;
}

void InprocEndpoint::recycle(Operation& operation) noexcept {
  operation.place = nullptr;
  operation.next = unused_;
  unused_ = &operation;
  --in_use_;
}

void InprocEndpoint::finish(Operation& operation, Transfer& transfer) noexcept {
  transfer.status = operation.status;
  transfer.bytes = operation.bytes;
  transfer.handle = nullptr;
  transfer.state = Transfer::State::done;
  recycle(operation);
}

void InprocEndpoint::send(int peer, std::uint64_t tag, Bytes data, Transfer& transfer) {
  Mailbox& receiver = peer_mailbox(peer);
  Operation& operation = new_operation(peer, transfer);
  operation.is_send = true;
  operation.sender = rank_;
  operation.tag = tag;
  operation.source = data.data();
  operation.size = data.size();
  operation.place = &receiver;
  if (receiver.post_send(operation)) finish(operation, transfer);
}

void InprocEndpoint::receive(int peer, std::uint64_t tag, MutableBytes buffer, Transfer& transfer) {
  peer_mailbox(peer);
  Operation& operation = new_operation(peer, transfer);
  operation.is_send = false;
  operation.sender = peer;
  operation.tag = tag;
  operation.target = buffer.data();
  operation.size = buffer.size();
  operation.place = mailbox_.get();
  if (mailbox_->post_receive(operation)) finish(operation, transfer);
}

bool InprocEndpoint::progress() {
  Operation* completed = mailbox_->take_completed();
  if (completed == nullptr) return false;
  while (completed != nullptr) {
    Operation& operation = *completed;
    completed = operation.next;
    Transfer* const transfer = operation.transfer;
    if (transfer == nullptr) {
      recycle(operation);
      continue;
    }
    finish(operation, *transfer);
    if (transfer->notify != nullptr) transfer->notify(*transfer);
  }
  return true;
}

void InprocEndpoint::abandon(Transfer& transfer) noexcept {
  if (transfer.state != Transfer::State::pending) return;
  Operation& operation = *static_cast<Operation*>(transfer.handle);
  operation.transfer = nullptr;
  transfer.handle = nullptr;
  if (operation.place->withdraw(operation)) recycle(operation);
}

std::string InprocEndpoint::describe() const {
  std::string text = "transport inproc: threads of one process, one copy from buffer to buffer; connected to rank(s)";
  for (std::size_t peer = 0; peer < peers_.size(); ++peer) {
    if (peers_[peer] != nullptr) text += ' ' + std::to_string(peer);
  }
  return text + '\n';
}

std::unique_ptr<Endpoint> open(const Options& /*options*/, const EndpointContext& context) {
  return std::make_unique<InprocEndpoint>(context);
}

}  // namespace

TransportEntry inproc_entry() noexcept {
  return {"inproc", "ranks are threads of one process; one copy per message, no network", {}, open, true};
}

}  // namespace gossamer
