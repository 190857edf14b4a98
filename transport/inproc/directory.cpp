#include "transport/inproc/directory.hpp"

#include <unistd.h>

#include <cstring>
#include <mutex>
#include <random>
#include <unordered_map>

namespace gossamer::inproc {
namespace {

constexpr std::uint64_t kMagic = 0x636F7270'6E697367;  // "gsinproc"

struct Directory {
  Directory() {
    std::random_device random;
    token = (std::uint64_t{random()} << 32) | random();
  }

  std::mutex mutex;
  std::unordered_map<std::uint64_t, std::weak_ptr<Mailbox>> mailboxes;
  std::uint64_t next_id = 1;
  std::uint64_t token = 0;
};

/// The one thing that ranks of a process share without being told: a pointer in an address could dangle, a number
/// cannot.
Directory& directory() {
  static Directory instance;
  return instance;
}

}  // namespace

Address publish(const std::shared_ptr<Mailbox>& mailbox) {
  Directory& all = directory();
  const std::lock_guard lock(all.mutex);
  const std::uint64_t id = all.next_id++;
  all.mailboxes.emplace(id, mailbox);
  return {kMagic, all.token, id, ::getpid()};
}

void retract(const Address& address) noexcept {
  Directory& all = directory();
  const std::lock_guard lock(all.mutex);
  all.mailboxes.erase(address.id);
}

std::shared_ptr<Mailbox> find_mailbox(Bytes bytes, int peer) {
  Address address{};
  if (bytes.size() == sizeof address) std::memcpy(&address, bytes.data(), sizeof address);
  if (address.magic != kMagic) {
    fail(Status::argument, "transport inproc: rank ", peer, " sent ", bytes.size(),
         " bytes that are no inproc address; all ranks must use the same transport");
  }
  Directory& all = directory();
  const std::lock_guard lock(all.mutex);
  if (address.process_token != all.token || address.pid != ::getpid()) {
    fail(Status::argument, "transport inproc: rank ", peer, " is in process ", address.pid, ", this rank in process ",
         ::getpid(), "; inproc ranks must be threads of one process (use transport=ucx between processes)");
  }
  const auto place = all.mailboxes.find(address.id);
  return place == all.mailboxes.end() ? nullptr : place->second.lock();
}

}  // namespace gossamer::inproc
