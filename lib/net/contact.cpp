#include "lib/net/contact.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <random>

namespace gossamer {
namespace {

constexpr std::size_t most_addresses = 8;
constexpr std::size_t host_bytes = 64;

using Raw = std::array<std::byte, 16>;  // an IPv4 address takes the first four

SocketAddress make_address(int family, const void* raw) {
  SocketAddress address;
  address.storage.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET6) {
    std::memcpy(&reinterpret_cast<sockaddr_in6&>(address.storage).sin6_addr, raw, sizeof(in6_addr));
    address.length = sizeof(sockaddr_in6);
  } else {
    std::memcpy(&reinterpret_cast<sockaddr_in&>(address.storage).sin_addr, raw, sizeof(in_addr));
    address.length = sizeof(sockaddr_in);
  }
  return address;
}

Raw raw_of(const SocketAddress& address) {
  Raw raw{};
  if (address.storage.ss_family == AF_INET6) {
    std::memcpy(raw.data(), &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr, sizeof(in6_addr));
  } else {
    std::memcpy(raw.data(), &reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr, sizeof(in_addr));
  }
  return raw;
}

SocketAddress with_port(SocketAddress address, std::uint16_t port) {
  if (address.storage.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(address.storage).sin_port = htons(port);
  }
  return address;
}

/// How early an interface's address is tried: 0 first, negative never.
int turn_of(const ifaddrs& entry, std::string_view interface) {
  if (entry.ifa_addr == nullptr || (entry.ifa_flags & IFF_UP) == 0) return -1;
  const int family = entry.ifa_addr->sa_family;
  if (family != AF_INET && family != AF_INET6) return -1;
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(*entry.ifa_addr);
  // Link-local addresses mean nothing without the number of the reader's own interface.
  if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&ipv6.sin6_addr)) return -1;
  if (interface == entry.ifa_name) return 0;
  if ((entry.ifa_flags & IFF_LOOPBACK) != 0) return -1;
  return family == AF_INET ? 1 : 2;
}

std::vector<SocketAddress> addresses_of_host(std::string_view interface) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  std::vector<SocketAddress> addresses;
  for (int turn = 0; turn <= 2; ++turn) {
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
      if (turn_of(*entry, interface) != turn || addresses.size() == most_addresses) continue;
      SocketAddress& address = addresses.emplace_back();
      address.length = entry->ifa_addr->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
      std::memcpy(&address.storage, entry->ifa_addr, address.length);
    }
  }
  return addresses;
}

std::uint64_t random_token() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

Contact Contact::of_listener(std::uint16_t port, std::string_view interface) {
  return {random_token(), port, host_name().substr(0, host_bytes), addresses_of_host(interface)};
}

std::vector<std::byte> Contact::blob() const {
  std::vector<std::byte> bytes(blob_bytes);
  ByteWriter writer(bytes);
  writer.put(token);
  writer.put(port);
  writer.put(static_cast<std::uint8_t>(addresses.size()));
  std::array<char, host_bytes> name{};
  std::copy_n(host.begin(), std::min(host.size(), host_bytes), name.begin());
  writer.put(name);
  for (const SocketAddress& address : addresses) {
    writer.put(static_cast<std::uint8_t>(address.storage.ss_family == AF_INET6 ? 6 : 4));
    writer.put(raw_of(address));
  }
  return bytes;
}

Contact Contact::from_blob(Bytes blob) {
  ByteReader reader(blob);
  Contact contact;
  contact.token = reader.get<std::uint64_t>();
  contact.port = reader.get<std::uint16_t>();
  const auto count = reader.get<std::uint8_t>();
  const auto name = reader.get<std::array<char, host_bytes>>();
  contact.host.assign(name.begin(), std::find(name.begin(), name.end(), '\0'));
  for (int i = 0; i < count; ++i) {
    const auto version = reader.get<std::uint8_t>();
    const auto raw = reader.get<Raw>();
    if (version != 4 && version != 6) fail(Status::corrupt, "an address says it is IP version ", int{version});
    contact.addresses.push_back(make_address(version == 6 ? AF_INET6 : AF_INET, raw.data()));
  }
  return contact;
}

std::vector<SocketAddress> Contact::candidates(bool same_host) const {
  std::vector<SocketAddress> all;
  if (same_host) {
    const in_addr loopback{htonl(INADDR_LOOPBACK)};
    all.push_back(make_address(AF_INET, &loopback));
    all.push_back(make_address(AF_INET6, &in6addr_loopback));
  }
  all.insert(all.end(), addresses.begin(), addresses.end());
  for (SocketAddress& address : all) address = with_port(address, port);
  return all;
}

}  // namespace gossamer
