#include <sched.h>

#include "transport/ucx/endpoint.hpp"

namespace gossamer::ucx {
namespace {

constexpr double kFarewellSeconds = 0.5;  // for messages, and again for connections

}  // namespace

void UcxEndpoint::cancel_receives() noexcept {
  for (Operation* operation = operations_.in_use(); operation != nullptr;) {
    Operation& current = *operation;
    operation = current.next;
    current.transfer = nullptr;
    if (current.request != nullptr) ucp_request_cancel(worker_, current.request);
  }
}

/// Flushing hands buffered bytes to peers that still listen. Whoever does not answer in time is cut off.
void UcxEndpoint::close_connections(const Deadline& deadline) noexcept {
  std::vector<void*> closing;
  closing.reserve(peers_.size());
  for (const auto& peer : peers_) {
    if (peer == nullptr) continue;
    ucp_request_param_t params{};
    if (peer->failed) {
      params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
      params.flags = UCP_EP_CLOSE_FLAG_FORCE;
    }
    void* const request = ucp_ep_close_nbx(peer->ep, &params);
    if (UCS_PTR_IS_PTR(request)) closing.push_back(request);
  }
  for (void* const request : closing) {
    await(request, deadline);
    ucp_request_free(request);
  }
}

/// Receives, into nowhere, what nobody asked for: UCX warns about messages that are left, and tells waiting senders.
void UcxEndpoint::discard_unexpected(const Deadline& deadline) noexcept {
  ucp_tag_recv_info_t info{};
  while (const ucp_tag_message_h message = ucp_tag_probe_nb(worker_, 0, 0, 1, &info)) {
    const ucp_request_param_t params{};
    void* const request = ucp_tag_msg_recv_nbx(worker_, nullptr, 0, message, &params);
    if (!UCS_PTR_IS_PTR(request)) continue;
    await(request, deadline);
    ucp_request_free(request);
  }
}

void UcxEndpoint::await(void* request, const Deadline& deadline) noexcept {
  while (ucp_request_check_status(request) == UCS_INPROGRESS && !deadline.expired()) {
    if (ucp_worker_progress(worker_) == 0) ::sched_yield();
  }
}

UcxEndpoint::~UcxEndpoint() {
  const Deadline deadline = Deadline::in(kFarewellSeconds);
  cancel_receives();
  do {
    discard_unexpected(deadline);
    // A send by rendezvous ends when its receiver takes it, or discards it in a farewell of its own.
    if (ucp_worker_progress(worker_) == 0) ::sched_yield();
  } while (operations_.in_use() != nullptr && !deadline.expired());
  const Deadline last = Deadline::in(kFarewellSeconds);
  close_connections(last);
  discard_unexpected(last);
  while (Operation* const operation = operations_.take_completed()) operations_.give_back(*operation);
  release();
}

}  // namespace gossamer::ucx
