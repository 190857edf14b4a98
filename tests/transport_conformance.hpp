#pragma once

#include <poll.h>

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "tests/transport_world.hpp"

/// What every transport must do, whatever it is made of. A case runs on connected ranks, as threads or as processes.
namespace gossamer::test {

struct ConformanceCase {
  std::string_view name;
  int ranks;
  void (*run)(World& world);
};

namespace conformance {

/// Bytes that depend on `seed` and place, so that a mixed-up message shows.
inline std::vector<std::byte> pattern(std::size_t size, std::uint32_t seed) {
  std::minstd_rand random(seed * 2654435761U + 1);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() >> 8);
  return bytes;
}

inline void expect_pattern(Bytes received, std::size_t size, std::uint32_t seed, std::string_view what) {
  const std::vector<std::byte> wanted = pattern(size, seed);
  expect(received.size() == size, what, ": ", received.size(), " bytes arrived of ", size);
  for (std::size_t i = 0; i < size; ++i)
    expect(received[i] == wanted[i], what, ": byte ", i, " of ", size, " is wrong");
}

/// A receive with its buffer.
struct Incoming {
  explicit Incoming(std::size_t capacity) : buffer(capacity) {}
  [[nodiscard]] Bytes received() const { return Bytes(buffer).first(transfer.bytes); }

  std::vector<std::byte> buffer;
  Transfer transfer;
};
struct Outgoing {
  Outgoing(std::size_t size, std::uint32_t seed) : buffer(pattern(size, seed)) {}

  std::vector<std::byte> buffer;
  Transfer transfer;
};

constexpr std::array<std::size_t, 10> kSizes = {0, 1, 7, 1009, 4096, 8191, 65536, 100003, 1048583, 3 << 20};

/// Both ranks exchange every size; even rounds have the receives posted first, odd rounds the sends.
inline void exchanges_every_size(World& world) {
  const int peer = 1 - world.rank();
  for (std::uint32_t round = 0; round < 2 * kSizes.size(); ++round) {
    const std::size_t size = kSizes[round / 2];
    Outgoing out(size, round + 100U * static_cast<std::uint32_t>(world.rank()));
    Incoming in(size + round % 2 * 5);
    const bool receive_first = round % 2 == 0;
    if (receive_first) world.receive(peer, round, in.buffer, in.transfer);
    world.barrier();
    world.send(peer, round, out.buffer, out.transfer);
    world.endpoint().progress();
    if (!receive_first) {
      world.barrier();
      world.receive(peer, round, in.buffer, in.transfer);
    }
    world.complete(in.transfer, "a receive");
    world.complete(out.transfer, "a send");
    expect_pattern(in.received(), size, round + 100U * static_cast<std::uint32_t>(peer), "exchange");
  }
}

/// Messages of one tag arrive in the order sent, whether the receives come before or after them.
inline void keeps_order_of_equal_tags(World& world) {
  constexpr std::uint32_t kMessages = 120;
  const auto size_of_message = [](std::uint32_t i) { return i % 17 == 3 ? 70001U + i : 1U + i % 900U; };
  if (world.rank() == 0) {
    std::vector<Outgoing> out;
    for (std::uint32_t i = 0; i < kMessages; ++i) out.emplace_back(size_of_message(i), i);
    world.barrier();
    for (Outgoing& message : out) world.send(1, 42, message.buffer, message.transfer);
    for (Outgoing& message : out) world.complete(message.transfer, "a send");
    return world.barrier();
  }
  std::vector<Incoming> in;
  for (std::uint32_t i = 0; i < kMessages; ++i) in.emplace_back(80000);
  const std::span<Incoming> all(in);
  for (Incoming& message : all.first(kMessages / 2)) world.receive(0, 42, message.buffer, message.transfer);
  world.barrier();
  for (Incoming& message : all.first(kMessages / 2)) world.complete(message.transfer, "a receive posted before");
  for (Incoming& message : all.last(kMessages / 2)) {
    world.endpoint().progress();
    world.receive(0, 42, message.buffer, message.transfer);
  }
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    world.complete(in[i].transfer, "a receive");
    expect_pattern(in[i].received(), size_of_message(i), i, sentence("message ", i, " of equal tag"));
  }
  world.barrier();
}

/// Receives in the reverse order of the sends still get their own message; tags use all 64 bits.
inline void matches_tags_out_of_order(World& world) {
  constexpr std::uint32_t kMessages = 40;
  const auto tag = [](std::uint32_t i) { return (std::uint64_t{i} << 58) ^ (std::uint64_t{i} << 31) ^ (i / 32U); };
  const int peer = 1 - world.rank();
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    out.emplace_back(i * 3001U, i);
    in.emplace_back(i * 3001U);
  }
  world.barrier();
  for (std::uint32_t i = 0; i < kMessages; ++i) world.send(peer, tag(i), out[i].buffer, out[i].transfer);
  for (std::uint32_t i = kMessages; i-- > 0;) world.receive(peer, tag(i), in[i].buffer, in[i].transfer);
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    world.complete(in[i].transfer, "a receive");
    world.complete(out[i].transfer, "a send");
    expect_pattern(in[i].received(), i * 3001U, i, sentence("message with tag number ", i));
  }
  world.barrier();
}

/// A message longer than the buffer fails its receive only, and leaves the bytes behind the buffer alone.
inline void refuses_too_long_messages(World& world) {
  std::uint64_t tag = 0;
  for (const std::size_t size : {std::size_t{2}, std::size_t{3000}, std::size_t{200000}, std::size_t{3} << 20}) {
    for (const bool receive_first : {true, false}) {
      Incoming in(size);
      Outgoing out(size, 5);
      const MutableBytes half = MutableBytes(in.buffer).first(size / 2);
      if (world.rank() == 1 && receive_first) world.receive(0, tag, half, in.transfer);
      world.barrier();
      if (world.rank() == 0) world.send(1, tag, out.buffer, out.transfer);
      world.barrier();
      if (world.rank() == 1 && !receive_first) world.receive(0, tag, half, in.transfer);
      if (world.rank() == 1) {
        world.complete(in.transfer, "a receive that is too small", Status::corrupt);
        for (std::size_t i = size / 2; i < size; ++i) expect(in.buffer[i] == std::byte{0}, "byte ", i, " overwritten");
        Incoming next(10);
        world.receive(0, tag + 1, next.buffer, next.transfer);
        world.complete(next.transfer, "the receive after it");
        expect_pattern(next.received(), 10, 77, "the message after it");
      } else {
        Outgoing next(10, 77);
        world.send(1, tag + 1, next.buffer, next.transfer);
        world.complete(next.transfer, "the send after it");
        world.progress_until([&] { return out.transfer.state == Transfer::State::done; }, "the send that is too long");
      }
      world.barrier();
      tag += 2;
    }
  }
}

/// A thousand transfers each way at once, posted in different orders.
inline void carries_a_thousand_in_flight(World& world) {
  constexpr std::uint32_t kMessages = 1000;
  const int peer = 1 - world.rank();
  const auto seed = [](int rank, std::uint32_t i) { return i * 2 + static_cast<std::uint32_t>(rank); };
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    out.emplace_back(1 + i * 37 % 9001, seed(world.rank(), i));
    in.emplace_back(9001);
  }
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    const std::uint32_t other = (i * 7 + 3) % kMessages;
    world.receive(peer, i, in[i].buffer, in[i].transfer);
    world.send(peer, other, out[other].buffer, out[other].transfer);
  }
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    world.complete(in[i].transfer, "one of a thousand receives");
    world.complete(out[i].transfer, "one of a thousand sends");
    expect_pattern(in[i].received(), 1 + i * 37 % 9001, seed(peer, i), sentence("message ", i));
  }
  world.barrier();
}

/// An abandoned receive is never touched again; others go on. The transfer's memory is gone when its message comes.
inline void forgets_abandoned_receives(World& world) {
  std::vector<std::byte> buffer(100000);
  for (std::uint64_t tag = 0; tag < 20; ++tag) {
    if (world.rank() == 1) {
      auto transfer = std::make_unique<Transfer>();
      transfer->notify = [](Transfer&) noexcept { std::abort(); };
      world.receive(0, tag, buffer, *transfer);
      expect(transfer->state == Transfer::State::pending, "a receive without a message is done");
      world.endpoint().abandon(*transfer);
    }
    world.barrier();
    Outgoing late(tag % 2 == 0 ? 50 : 90000, 1);
    Outgoing out(1000, 2);
    Incoming in(1000);
    if (world.rank() == 0) {
      world.send(1, tag, late.buffer, late.transfer);
      world.send(1, 1000 + tag, out.buffer, out.transfer);
      world.complete(out.transfer, "a send");
      world.endpoint().abandon(late.transfer);
    } else {
      world.receive(0, 1000 + tag, in.buffer, in.transfer);
      world.complete(in.transfer, "a receive beside an abandoned one");
      expect_pattern(in.received(), 1000, 2, "message beside an abandoned one");
    }
    world.barrier();
    // The sends' buffers die here, so the endpoint must go first.
    world.close();
    world.barrier();
    world.reopen();
  }
}

/// A sleeper on the descriptor wakes up for a message, and arm() refuses while there is work.
inline void wakes_the_sleeper(World& world) {
  Endpoint& endpoint = world.endpoint();
  for (std::uint64_t tag = 0; tag < 10; ++tag) {
    const std::size_t size = tag % 2 == 0 ? 64 : 300000;
    world.barrier();
    if (world.rank() == 0) {
      ::usleep(5000);
      Outgoing out(size, 3);
      world.send(1, tag, out.buffer, out.transfer);
      world.complete(out.transfer, "a send to a sleeper");
      continue;
    }
    Incoming in(size);
    world.receive(0, tag, in.buffer, in.transfer);
    while (in.transfer.state != Transfer::State::done) {
      if (endpoint.progress() || !endpoint.arm()) continue;
      pollfd descriptor{endpoint.event_fd(), POLLIN, 0};
      expect(::poll(&descriptor, 1, 20000) == 1, "slept through message ", tag, " of ", size, " bytes");
    }
    expect_pattern(in.received(), size, 3, "message to a sleeper");
  }
  world.barrier();
}

/// All others send to rank 0 at once with their own tags.
inline void takes_from_many(World& world) {
  constexpr std::uint64_t kRounds = 50;
  const auto tag = [](int sender, std::uint64_t round) { return (static_cast<std::uint64_t>(sender) << 48) | round; };
  const auto size = [](int sender, std::uint64_t round) { return round * 501 + static_cast<std::size_t>(sender); };
  if (world.rank() != 0) {
    std::vector<Outgoing> out;
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      out.emplace_back(size(world.rank(), i), static_cast<std::uint32_t>(world.rank()));
    }
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      world.send(0, tag(world.rank(), i), out[i].buffer, out[i].transfer);
    }
    for (Outgoing& message : out) world.complete(message.transfer, "a send to rank 0");
    return world.barrier();
  }
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    std::vector<Incoming> in(static_cast<std::size_t>(world.size()), Incoming(30000));
    for (int peer = world.size() - 1; peer > 0; --peer) {
      Incoming& message = in[static_cast<std::size_t>(peer)];
      world.receive(peer, tag(peer, i), message.buffer, message.transfer);
    }
    for (int peer = 1; peer < world.size(); ++peer) {
      Incoming& message = in[static_cast<std::size_t>(peer)];
      world.complete(message.transfer, "a receive from many");
      expect_pattern(message.received(), size(peer, i), static_cast<std::uint32_t>(peer), sentence("from rank ", peer));
    }
  }
  world.barrier();
}

/// notify comes once per transfer that was pending, and never for one that was done at once.
inline void notifies_once(World& world) {
  const int peer = 1 - world.rank();
  for (std::uint64_t tag = 0; tag < 200; ++tag) {
    int notified = 0;
    Incoming in(20000);
    Outgoing out(tag * 100, 9);
    in.transfer.context = &notified;
    in.transfer.notify = [](Transfer& done) noexcept {
      *static_cast<int*>(done.context) += done.state == Transfer::State::done ? 1 : 100;
    };
    if (tag % 3 == 0) world.receive(peer, tag, in.buffer, in.transfer);
    world.send(peer, tag, out.buffer, out.transfer);
    if (tag % 3 != 0) world.receive(peer, tag, in.buffer, in.transfer);
    const int expected = in.transfer.state == Transfer::State::pending ? 1 : 0;
    world.complete(in.transfer, "a receive");
    world.complete(out.transfer, "a send");
    for (int i = 0; i < 10; ++i) world.endpoint().progress();
    expect(notified == expected, "notified ", notified, " times instead of ", expected);
  }
  world.barrier();
}

/// Endpoints die with receives posted and messages nobody asked for, while peers are still there or not.
inline void closes_with_traffic_pending(World& world) {
  const int peer = 1 - world.rank();
  std::vector<Incoming> in;
  std::vector<Outgoing> out;
  for (std::uint32_t i = 0; i < 20; ++i) {
    in.emplace_back(500000);
    out.emplace_back(i % 2 == 0 ? 100 : 400000, i);
  }
  for (std::uint32_t i = 0; i < 20; ++i) {
    world.receive(peer, i, in[i].buffer, in[i].transfer);
    world.send(peer, 1000 + i, out[i].buffer, out[i].transfer);
  }
  world.barrier();
  if (world.rank() == 0) ::usleep(20000);
  for (std::uint32_t i = 0; i < 20; ++i) {
    world.endpoint().abandon(in[i].transfer);
    world.endpoint().abandon(out[i].transfer);
  }
  world.close();
  world.barrier();
}

}  // namespace conformance

inline std::span<const ConformanceCase> conformance_cases() {
  using namespace conformance;
  static constexpr std::array kCases = {
      ConformanceCase{"messages of every size arrive whole, asked for or not", 2, exchanges_every_size},
      ConformanceCase{"equal tags keep their order", 2, keeps_order_of_equal_tags},
      ConformanceCase{"different tags match out of order", 2, matches_tags_out_of_order},
      ConformanceCase{"a message longer than its buffer is corrupt", 2, refuses_too_long_messages},
      ConformanceCase{"a thousand transfers each way at once", 2, carries_a_thousand_in_flight},
      ConformanceCase{"an abandoned transfer is not touched again", 2, forgets_abandoned_receives},
      ConformanceCase{"a message wakes who sleeps on the descriptor", 2, wakes_the_sleeper},
      ConformanceCase{"one rank takes from many", 4, takes_from_many},
      ConformanceCase{"notify comes once", 2, notifies_once},
      ConformanceCase{"an endpoint closes with traffic pending", 2, closes_with_traffic_pending},
  };
  return kCases;
}

}  // namespace gossamer::test
