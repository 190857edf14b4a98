#pragma once

#include <cstdint>
#include <memory>

#include "transport/inproc/mailbox.hpp"

namespace gossamer::inproc {

/// The address of a mailbox: which process, and which mailbox in it.
struct Address {
  std::uint64_t magic;
  std::uint64_t process_token;  ///< random, once per process image: equal pids on two hosts do not matter
  std::uint64_t id;
  std::int64_t pid;
};

/// Makes a mailbox reachable by its address for as long as somebody owns it. Thread-safe.
Address publish(const std::shared_ptr<Mailbox>& mailbox);
void retract(const Address& address) noexcept;

/// Null when the mailbox is gone. Throws `argument` when the bytes are no address, or one from another process; the
/// sentence names the peer. Thread-safe.
std::shared_ptr<Mailbox> find_mailbox(Bytes address, int peer);

}  // namespace gossamer::inproc
