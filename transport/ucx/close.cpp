#include <sched.h>

#include "lib/base/deadline.hpp"
#include "transport/ucx/endpoint.hpp"

namespace gossamer::ucx {
namespace {

constexpr double kFarewellSeconds = 0.5;

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
void UcxEndpoint::close_connections() noexcept {
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
  const Deadline deadline = Deadline::in(kFarewellSeconds);
  for (void* const request : closing) {
    while (ucp_request_check_status(request) == UCS_INPROGRESS && !deadline.expired()) {
      if (ucp_worker_progress(worker_) == 0) ::sched_yield();
    }
    ucp_request_free(request);
  }
}

UcxEndpoint::~UcxEndpoint() {
  cancel_receives();
  close_connections();
  deliver_completed();
  release();
}

}  // namespace gossamer::ucx
