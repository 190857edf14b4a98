#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lib/base/bytes.hpp"
#include "lib/base/log.hpp"
#include "lib/bootstrap.hpp"

namespace gossamer {

/// Where and with whom ranks meet.
struct Meeting {
  int rank = 0;
  int size = 2;      ///< at least 2
  std::string host;  ///< name or address of rank 0's host
  std::uint16_t port = 0;
  double timeout_seconds = 30;
};

/// The TCP star behind env_bootstrap(), whose contract holds here too: rank 0 hosts, the others are guests, every
/// allgather() goes through rank 0. The only part of Gossamer in which a rank is special, and over before the first
/// collective.
std::unique_ptr<Bootstrap> host_rendezvous(const Meeting& meeting, const Log& log);
std::unique_ptr<Bootstrap> guest_rendezvous(const Meeting& meeting, const Log& log);

/// What guests and host say, as frames of a FrameStream. Guest: hello, then one blob per exchange. Host: welcome when
/// all have come, then one result per exchange; or, at any time and as its last word, failure.
namespace rendezvous_wire {

enum Kind : std::uint32_t { hello = 1, welcome = 2, blob = 3, result = 4, failure = 5 };

constexpr std::uint32_t version = 1;

struct Hello {
  std::uint32_t version;
  std::int32_t rank;
  std::int32_t size;
};

constexpr std::size_t largest_blob = std::size_t{1} << 20;
/// Of a failure: the status, then the sentence.
constexpr std::size_t largest_failure = 4096;
/// How much longer guests wait than the host, so that its sentence, which names who is missing, wins over theirs.
constexpr double grace_seconds = 1;

}  // namespace rendezvous_wire
}  // namespace gossamer
