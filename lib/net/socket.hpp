#pragma once

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gossamer {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// An IPv4 or IPv6 address with its port.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  /// "10.0.0.3:4242" or "[fe80::1]:4242".
  [[nodiscard]] std::string text() const;
};

// All sockets below are TCP, non-blocking and closed on exec. Nothing here blocks, except resolve() and wait_for().

/// Listens on `port` (0: any free one) of all interfaces, IPv6 and IPv4. Invalid with errno set when that fails.
Fd listen_on(std::uint16_t port);
std::uint16_t local_port(const Fd& socket);
/// The next waiting connection; invalid when there is none.
Fd accept_on(const Fd& listener);
/// Begins to connect; invalid with errno set when that fails at once.
Fd start_connect(const SocketAddress& to);
/// How that went: 0 connected, EINPROGRESS not yet, else the errno of the failure.
int connect_result(const Fd& socket);
/// The other side's address in words, for messages.
std::string peer_text(const Fd& socket);

/// Sleeps until a descriptor is ready (its `revents` say so) or the time is over; a signal may end it early.
void wait_for(std::span<pollfd> descriptors, double seconds);

/// Addresses of a host name or numeric address. May block in the name service. On failure `error` is set to
/// getaddrinfo's code and the result is empty.
std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port, int& error);
/// This host's name; "unknown" if the system will not say.
std::string host_name();
/// What an errno means: "Connection refused".
std::string errno_text(int error);

}  // namespace gossamer
