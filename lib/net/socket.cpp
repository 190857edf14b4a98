#include "lib/net/socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <system_error>

namespace gossamer {
namespace {

void enable(const Fd& socket, int level, int option) {
  const int on = 1;
  setsockopt(socket.get(), level, option, &on, sizeof on);
}

Fd open_socket(int family) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // On connecting sockets too: one that happens to get rank 0's port as its own must not keep rank 0 from binding it.
  if (socket.valid()) enable(socket, SOL_SOCKET, SO_REUSEADDR);
  return socket;
}

bool bind_and_listen(const Fd& socket, const sockaddr* address, socklen_t length) {
  return bind(socket.get(), address, length) == 0 && listen(socket.get(), SOMAXCONN) == 0;
}

SocketAddress name_of(const Fd& socket, int (*get_name)(int, sockaddr*, socklen_t*)) {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (get_name(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) address.length = 0;
  return address;
}

}  // namespace

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::string SocketAddress::text() const {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&storage), length, host.data(), host.size(), port.data(),
                  port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "an unknown address";
  }
  const std::string name = host.data();
  return (storage.ss_family == AF_INET6 ? "[" + name + "]" : name) + ":" + port.data();
}

Fd listen_on(std::uint16_t port) {
  if (Fd socket = open_socket(AF_INET6); socket.valid()) {
    const int off = 0;
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_addr = in6addr_any;
    any.sin6_port = htons(port);
    if (bind_and_listen(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any)) return socket;
    if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) return {};  // else: a kernel with IPv6 switched off
  }
  Fd socket = open_socket(AF_INET);
  if (!socket.valid()) return socket;
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (bind_and_listen(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any)) return socket;
  return {};
}

std::uint16_t local_port(const Fd& socket) {
  const SocketAddress address = name_of(socket, getsockname);
  if (address.storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
}

Fd accept_on(const Fd& listener) {
  Fd socket(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.valid()) enable(socket, IPPROTO_TCP, TCP_NODELAY);
  return socket;
}

Fd start_connect(const SocketAddress& to) {
  Fd socket = open_socket(to.storage.ss_family);
  if (!socket.valid()) return socket;
  enable(socket, IPPROTO_TCP, TCP_NODELAY);
  const int result = connect(socket.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.length);
  if (result == 0 || errno == EINPROGRESS) return socket;
  return {};
}

int connect_result(const Fd& socket) {
  pollfd ready{socket.get(), POLLOUT, 0};
  if (poll(&ready, 1, 0) <= 0) return EINPROGRESS;
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  if (error != 0) return error;
  // A socket that connects to a local port nobody listens on may be given that very port and so reach itself.
  const SocketAddress self = name_of(socket, getsockname);
  const SocketAddress other = name_of(socket, getpeername);
  if (other.length == 0) return ENOTCONN;
  const bool reached_itself =
      self.length == other.length && std::memcmp(&self.storage, &other.storage, self.length) == 0;
  return reached_itself ? ECONNREFUSED : 0;
}

std::string peer_text(const Fd& socket) {
  return name_of(socket, getpeername).text();
}

void wait_for(std::span<pollfd> descriptors, double seconds) {
  // Rounded up: a wait of the last half millisecond must not become a spin.
  const int milliseconds = static_cast<int>(std::ceil(std::clamp(seconds, 0.0, 1e6) * 1e3));
  if (poll(descriptors.data(), descriptors.size(), milliseconds) <= 0) {
    for (pollfd& descriptor : descriptors) descriptor.revents = 0;
  }
}

std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port, int& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(error == 0 ? list : nullptr, freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = owner.get(); entry != nullptr; entry = entry->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
  }
  return addresses;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unknown";
  return name.data();
}

std::string errno_text(int error) {
  return std::generic_category().message(error);
}

}  // namespace gossamer
