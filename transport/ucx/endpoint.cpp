#include "transport/ucx/endpoint.hpp"

#include <cstring>
#include <utility>

namespace gossamer::ucx {
namespace {

/// Before UCX's own bytes, which UCX trusts blindly.
constexpr std::uint64_t kMagic = 0x7863756D'61736F67;  // "gosamucx"

Status outcome_of(ucs_status_t status) noexcept {
  switch (status) {
    case UCS_OK:
      return Status::ok;
    case UCS_ERR_MESSAGE_TRUNCATED:
      return Status::corrupt;
    case UCS_ERR_CANCELED:
    case UCS_ERR_CONNECTION_RESET:
    case UCS_ERR_ENDPOINT_TIMEOUT:
    case UCS_ERR_NOT_CONNECTED:
    case UCS_ERR_UNREACHABLE:
    case UCS_ERR_REJECTED:
      return Status::peer;
    default:
      return Status::system;
  }
}

void settle(Transfer& transfer, Status status, std::size_t bytes) noexcept {
  transfer.status = status;
  transfer.bytes = bytes;
  transfer.handle = nullptr;
  transfer.state = Transfer::State::done;
}

}  // namespace

UcxEndpoint::UcxEndpoint(const Options& options, const EndpointContext& context)
    : rank_(context.rank), peers_(static_cast<std::size_t>(context.size)) {
  const Settings settings = make_settings(options, context);
  tls_ = settings.tls;
  shared_memory_ = settings.shared_memory;
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_NAME;
  params.features = UCP_FEATURE_TAG | UCP_FEATURE_WAKEUP;
  params.name = "gossamer";
  const ucs_status_t status = ucp_init(&params, settings.config, &context_);
  ucp_config_release(settings.config);
  if (status != UCS_OK) {
    fail(Status::system, status_sentence(sentence("opening with UCX_TLS=", tls_), status),
         "; ucx_info -d lists the transports of this machine");
  }
  try {
    open_worker();
  } catch (...) {
    release();
    throw;
  }
}

void UcxEndpoint::open_worker() {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;
  ucs_status_t status = ucp_worker_create(context_, &params, &worker_);
  if (status != UCS_OK) {
    fail(Status::system, status_sentence(sentence("creating a worker with UCX_TLS=", tls_), status));
  }
  status = ucp_worker_get_efd(worker_, &event_fd_);
  if (status != UCS_OK) fail(Status::system, status_sentence("asking for an event descriptor", status));
}

void UcxEndpoint::release() noexcept {
  if (worker_ != nullptr) ucp_worker_destroy(worker_);
  if (context_ != nullptr) ucp_cleanup(context_);
}

std::vector<std::byte> UcxEndpoint::address() const {
  ucp_address_t* address = nullptr;
  std::size_t length = 0;
  const ucs_status_t status = ucp_worker_get_address(worker_, &address, &length);
  if (status != UCS_OK) fail(Status::system, status_sentence("asking for the worker's address", status));
  std::vector<std::byte> bytes(sizeof kMagic + length);
  std::memcpy(bytes.data(), &kMagic, sizeof kMagic);
  std::memcpy(bytes.data() + sizeof kMagic, address, length);
  ucp_worker_release_address(worker_, address);
  return bytes;
}

void UcxEndpoint::connect(int peer, Bytes address, bool same_host) {
  std::uint64_t magic = 0;
  if (address.size() > sizeof magic) std::memcpy(&magic, address.data(), sizeof magic);
  if (magic != kMagic) {
    fail(Status::argument, "transport ucx: rank ", peer, " sent ", address.size(),
         " bytes that are no UCX address; all ranks must use the same transport");
  }
  auto connection = std::make_unique<Peer>();
  connection->owner = this;
  connection->same_host = same_host;
  // Asking UCX to watch the peer rules out shared memory; without the watch a dead connection ends the process.
  connection->watched = !same_host || !shared_memory_;
  ucp_ep_params_t params{};
  params.field_mask =
      UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(address.data() + sizeof magic);
  params.err_mode = connection->watched ? UCP_ERR_HANDLING_MODE_PEER : UCP_ERR_HANDLING_MODE_NONE;
  params.err_handler.cb = &UcxEndpoint::peer_failed;
  params.err_handler.arg = connection.get();
  const ucs_status_t status = ucp_ep_create(worker_, &params, &connection->ep);
  if (status != UCS_OK) {
    fail(
        Status::system, status_sentence(sentence("no route to rank ", peer, " with UCX_TLS=", tls_), status),
        same_host ? "; ranks of one host that share no memory, as in containers, need transport=ucx:tls=self+tcp" : "");
  }
  peers_.at(static_cast<std::size_t>(peer)) = std::move(connection);
}

UcxEndpoint::Peer& UcxEndpoint::peer_at(int peer) {
  const auto index = static_cast<std::size_t>(peer);
  if (index >= peers_.size() || peers_[index] == nullptr) {
    fail(Status::internal, "transport ucx: rank ", rank_, " is not connected to rank ", peer);
  }
  return *peers_[index];
}

Operation& UcxEndpoint::begin(int peer, bool is_send, Transfer& transfer) {
  Operation& operation = operations_.take();
  operation.transfer = &transfer;
  operation.endpoint = this;
  operation.request = nullptr;
  operation.peer = peer;
  operation.is_send = is_send;
  transfer.peer = peer;
  transfer.handle = &operation;
  transfer.state = Transfer::State::pending;
  return operation;
}

void UcxEndpoint::finish_at_once(Operation& operation, Status status, std::size_t bytes) noexcept {
  settle(*operation.transfer, status, bytes);
  operations_.release(operation);
}

void UcxEndpoint::send(int peer, std::uint64_t tag, Bytes data, Transfer& transfer) {
  Peer& to = peer_at(peer);
  Operation& operation = begin(peer, true, transfer);
  if (to.failed) return finish_at_once(operation, Status::peer, 0);
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  params.cb.send = &UcxEndpoint::send_done;
  params.user_data = &operation;
  operation.bytes = data.size();
  const ucs_status_ptr_t request = ucp_tag_send_nbx(to.ep, data.data(), data.size(), tag, &params);
  if (UCS_PTR_IS_PTR(request)) {
    operation.request = request;
  } else {
    finish_at_once(operation, outcome_of(UCS_PTR_STATUS(request)), data.size());
  }
}

void UcxEndpoint::receive(int peer, std::uint64_t tag, MutableBytes buffer, Transfer& transfer) {
  Peer& from = peer_at(peer);
  Operation& operation = begin(peer, false, transfer);
  // UCX 1.13 leaves recv_info alone when a receive completes at once; only a look at the message beforehand tells its
  // length then.
  ucp_tag_recv_info_t info{};
  ucp_tag_probe_nb(worker_, tag, ~ucp_tag_t{0}, 0, &info);
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  params.cb.recv = &UcxEndpoint::receive_done;
  params.user_data = &operation;
  const ucs_status_ptr_t request = ucp_tag_recv_nbx(worker_, buffer.data(), buffer.size(), tag, ~ucp_tag_t{0}, &params);
  if (!UCS_PTR_IS_PTR(request)) {
    const Status status = outcome_of(UCS_PTR_STATUS(request));
    return finish_at_once(operation, status, status == Status::ok ? info.length : 0);
  }
  operation.request = request;
  // What the peer sent before it died may still be matched; what has not come by now never will.
  if (from.failed) from.failure_is_news = any_failure_is_news_ = true;
}

void UcxEndpoint::send_done(void* request, ucs_status_t status, void* user_data) noexcept {
  Operation& operation = *static_cast<Operation*>(user_data);
  operation.status = outcome_of(status);
  operation.request = nullptr;
  ucp_request_free(request);
  operation.endpoint->operations_.complete(operation);
}

void UcxEndpoint::receive_done(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info,
                               void* user_data) noexcept {
  Operation& operation = *static_cast<Operation*>(user_data);
  operation.status = outcome_of(status);
  operation.bytes = operation.status == Status::ok ? info->length : 0;
  operation.request = nullptr;
  ucp_request_free(request);
  operation.endpoint->operations_.complete(operation);
}

void UcxEndpoint::peer_failed(void* argument, ucp_ep_h /*ep*/, ucs_status_t /*status*/) noexcept {
  Peer& peer = *static_cast<Peer*>(argument);
  peer.failed = peer.failure_is_news = true;
  peer.owner->any_failure_is_news_ = true;
}

void UcxEndpoint::fail_pending() noexcept {
  any_failure_is_news_ = false;
  for (Operation* operation = operations_.in_use(); operation != nullptr;) {
    Operation& current = *operation;
    operation = current.next;
    const Peer& peer = *peers_[static_cast<std::size_t>(current.peer)];
    if (!peer.failure_is_news) continue;
    Transfer* const transfer = std::exchange(current.transfer, nullptr);
    // UCX completes the sends of a failed endpoint itself; a receive does not know whom it waits for.
    if (!current.is_send) ucp_request_cancel(worker_, current.request);
    if (transfer == nullptr) continue;
    settle(*transfer, Status::peer, 0);
    if (transfer->notify != nullptr) transfer->notify(*transfer);
  }
  for (const auto& peer : peers_) {
    if (peer != nullptr) peer->failure_is_news = false;
  }
}

bool UcxEndpoint::deliver_completed() noexcept {
  if (!operations_.any_completed()) return false;
  while (Operation* const operation = operations_.take_completed()) {
    Transfer* const transfer = operation->transfer;
    const Status status = operation->status;
    const std::size_t bytes = operation->bytes;
    operations_.give_back(*operation);
    if (transfer == nullptr) continue;
    settle(*transfer, status, bytes);
    if (transfer->notify != nullptr) transfer->notify(*transfer);
  }
  return true;
}

bool UcxEndpoint::progress() {
  const bool moved = ucp_worker_progress(worker_) != 0;
  // Completed operations first: a message that made it counts, even if its sender died right after.
  const bool delivered = deliver_completed();
  if (!any_failure_is_news_) return moved || delivered;
  fail_pending();
  return true;
}

void UcxEndpoint::abandon(Transfer& transfer) noexcept {
  if (transfer.state != Transfer::State::pending) return;
  Operation& operation = *static_cast<Operation*>(transfer.handle);
  operation.transfer = nullptr;
  transfer.handle = nullptr;
  // May run the callback at once. A receive that is matched already goes on, into the buffer.
  if (!operation.is_send && operation.request != nullptr) ucp_request_cancel(worker_, operation.request);
}

bool UcxEndpoint::arm() {
  if (operations_.any_completed() || any_failure_is_news_) return false;
  const ucs_status_t status = ucp_worker_arm(worker_);
  if (status == UCS_OK) return true;
  if (status == UCS_ERR_BUSY) return false;
  fail(Status::system, status_sentence("arming the event descriptor", status));
}

}  // namespace gossamer::ucx
