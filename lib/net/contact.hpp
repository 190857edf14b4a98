#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/bytes.hpp"
#include "lib/net/socket.hpp"

namespace gossamer {

/// How a listening socket is reached from elsewhere, in a blob of fixed size for the bootstrap.
struct Contact {
  static constexpr std::size_t blob_bytes = 256;

  std::uint64_t token = 0;  ///< proves that who comes was sent by the bootstrap
  std::uint16_t port = 0;
  std::string host;                      ///< name, for messages
  std::vector<SocketAddress> addresses;  ///< in the order to try, without port

  /// Of a socket that listens on `port` of all interfaces of this host. Addresses of the network device `interface`
  /// come first (empty or not an IP device: none does); loopback and link-local ones are left out, unless the device
  /// named is the loopback.
  static Contact of_listener(std::uint16_t port, std::string_view interface);
  /// Throws `corrupt` for anything but a blob().
  static Contact from_blob(Bytes blob);
  [[nodiscard]] std::vector<std::byte> blob() const;
  /// Where to connect to, with port; the loopback addresses first when the listener is on this host.
  [[nodiscard]] std::vector<SocketAddress> candidates(bool same_host) const;
};

}  // namespace gossamer
