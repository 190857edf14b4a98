#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/bytes.hpp"
#include "lib/base/error.hpp"
#include "lib/base/spec.hpp"

namespace gossamer {

/// One posted send or receive. The caller owns it and its buffer; both must stay put until it is done, or until
/// Endpoint::abandon() has been called for the Transfer and the endpoint has been destroyed for the buffer.
struct Transfer {
  enum class State : std::uint8_t { idle, pending, done };

  State state = State::idle;
  Status status =
      Status::ok;         ///< once done: ok, peer (connection lost), corrupt (message larger than the buffer), system
  std::size_t bytes = 0;  ///< once done: bytes received
  int peer = -1;
  void (*notify)(Transfer&) noexcept =
      nullptr;              ///< called once when pending becomes done from progress(); never from within a post
  void* context = nullptr;  ///< the caller's, for notify
  void* handle = nullptr;   ///< the endpoint's own
};

/// This rank's end of a transport. Calls come from one thread at a time (any thread); none blocks.
///
/// Messages match by (sender, tag) where the tag alone is unique per receiver: no two senders use one tag towards the
/// same receiver at the same time. Messages with equal tag from one sender arrive in the order they were sent.
class Endpoint {
 public:
  virtual ~Endpoint() = default;

  /// How peers reach this endpoint; opaque bytes, exchanged by the bootstrap. At most 16 KiB.
  [[nodiscard]] virtual std::vector<std::byte> address() const = 0;
  /// Prepares for traffic with `peer`; called for graph neighbours only, once each, before any transfer.
  /// Throws `system` when there is no route, naming the peer.
  virtual void connect(int peer, Bytes address, bool same_host) = 0;

  /// Posts a send of `data` to a connected peer. A transfer may be done when the call returns (notify is then not
  /// called). Zero bytes are an ordinary message.
  virtual void send(int peer, std::uint64_t tag, Bytes data, Transfer& transfer) = 0;
  /// Posts a receive; a longer message is an error (`corrupt`), a shorter one sets `transfer.bytes`.
  virtual void receive(int peer, std::uint64_t tag, MutableBytes buffer, Transfer& transfer) = 0;
  /// Moves traffic on and completes transfers; true when anything happened. Calls notify, which must not call back.
  virtual bool progress() = 0;
  /// Gives up on a pending transfer: it is never touched again. Its buffer may be, until the endpoint is destroyed.
  virtual void abandon(Transfer& transfer) noexcept = 0;

  /// A descriptor that becomes readable when progress() has something to do, provided arm() returned true since.
  [[nodiscard]] virtual int event_fd() const noexcept = 0;
  /// False when there is work already: call progress() instead of sleeping.
  virtual bool arm() = 0;

  /// What is in force (devices, protocols), for `goss_comm_describe`; several lines.
  [[nodiscard]] virtual std::string describe() const = 0;
};

/// What an endpoint may know about its world when it is opened.
struct EndpointContext {
  int rank = 0;
  int size = 1;
  bool any_same_host = true;   ///< some graph neighbour shares this host
  bool any_other_host = true;  ///< some graph neighbour is on another host
  std::string interface;       ///< network device to use; empty: the transport's choice
  bool survives = false;       ///< a peer's death must not stop the traffic among the others
};

/// One line of the registry.
struct TransportEntry {
  std::string_view name;
  std::string_view summary;
  std::span<const Key> keys;
  std::unique_ptr<Endpoint> (*open)(const Options& options, const EndpointContext& context);
  bool same_process;  ///< ranks are threads of one process
};

std::span<const TransportEntry> transports() noexcept;
const TransportEntry& find_transport(std::string_view name);  ///< throws `argument`, listing the known

}  // namespace gossamer
