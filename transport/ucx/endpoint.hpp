#pragma once

#include <ucp/api/ucp.h>

#include <memory>
#include <string>
#include <vector>

#include "lib/base/deadline.hpp"
#include "transport/ucx/operation.hpp"
#include "transport/ucx/settings.hpp"

namespace gossamer::ucx {

/// A rank's end over UCX's tag API. One context and one worker per endpoint: communicators of one process never meet.
///
/// Destroying it takes a second at most, whatever the peers do.
class UcxEndpoint final : public Endpoint {
 public:
  UcxEndpoint(const Options& options, const EndpointContext& context);
  ~UcxEndpoint() override;
  UcxEndpoint(const UcxEndpoint&) = delete;
  UcxEndpoint& operator=(const UcxEndpoint&) = delete;

  [[nodiscard]] std::vector<std::byte> address() const override;
  void connect(int peer, Bytes address, bool same_host) override;
  void send(int peer, std::uint64_t tag, Bytes data, Transfer& transfer) override;
  void receive(int peer, std::uint64_t tag, MutableBytes buffer, Transfer& transfer) override;
  bool progress() override;
  void abandon(Transfer& transfer) noexcept override;
  [[nodiscard]] int event_fd() const noexcept override { return event_fd_; }
  bool arm() override;
  [[nodiscard]] std::string describe() const override;

 private:
  struct Peer {
    UcxEndpoint* owner = nullptr;
    ucp_ep_h ep = nullptr;
    bool same_host = false;
    bool watched = false;  ///< UCX reports its failure (UCP_ERR_HANDLING_MODE_PEER)
    bool failed = false;
    bool failure_is_news = false;  ///< progress() has yet to fail what is pending with it
  };

  static void send_done(void* request, ucs_status_t status, void* operation) noexcept;
  static void receive_done(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info,
                           void* operation) noexcept;
  static void peer_failed(void* peer, ucp_ep_h ep, ucs_status_t status) noexcept;

  void open_worker();
  void release() noexcept;
  Peer& peer_at(int peer);
  Operation& begin(int peer, bool is_send, Transfer& transfer);
  void finish_at_once(Operation& operation, Status status, std::size_t bytes) noexcept;
  bool deliver_completed() noexcept;
  void fail_pending() noexcept;
  void cancel_receives() noexcept;
  void close_connections(const Deadline& deadline) noexcept;
  void discard_unexpected(const Deadline& deadline) noexcept;
  void await(void* request, const Deadline& deadline) noexcept;

  int rank_;
  std::string tls_;
  bool shared_memory_ = false;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  int event_fd_ = -1;
  std::vector<std::unique_ptr<Peer>> peers_;  ///< by rank; null when not connected
  OperationPool operations_;
  bool any_failure_is_news_ = false;
};

}  // namespace gossamer::ucx
