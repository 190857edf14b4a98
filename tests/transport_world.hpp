#pragma once

#include <sched.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/run_ranks.hpp"
#include "transport/transport.hpp"

namespace gossamer::test {

/// What the ranks of a transport test share: plain memory, so that threads and forked processes can both use it.
struct SharedBoard {
  static constexpr std::size_t kRanks = 8;
  static constexpr std::size_t kAddress = 16384;

  std::atomic<int> arrivals{0};
  std::atomic<int> failures{0};
  std::array<std::size_t, kRanks> address_bytes{};
  std::array<std::array<std::byte, kAddress>, kRanks> addresses{};
  std::array<std::array<char, 1024>, kRanks> failure_texts{};
};

/// Where a rank's neighbours are said to be.
enum class Hosts { same, other, same_beside_other };

/// One rank of a transport test: its endpoint, connected to all others, and ways to wait that never wait for ever.
class World {
 public:
  static constexpr double kPatienceSeconds = 30.0;

  World(int rank, int size, SharedBoard& board) : rank_(rank), size_(size), board_(board) {}

  /// Opens `transport` (a spec such as "ucx:tls=tcp") and connects to every other rank. Collective.
  void open(std::string_view transport, Hosts hosts = Hosts::same) {
    transport_ = transport;
    hosts_ = hosts;
    const Spec spec = Spec::parse(transport_);
    const TransportEntry& entry = find_transport(spec.name);
    EndpointContext context;
    context.rank = rank_;
    context.size = size_;
    context.any_same_host = hosts != Hosts::other;
    context.any_other_host = hosts != Hosts::same;
    endpoint_ = entry.open(Options("transport " + spec.name, spec, entry.keys), context);
    const std::vector<std::byte> address = endpoint_->address();
    expect(address.size() <= SharedBoard::kAddress, "an address of ", address.size(), " bytes");
    const auto mine = static_cast<std::size_t>(rank_);
    std::memcpy(board_.addresses[mine].data(), address.data(), address.size());
    board_.address_bytes[mine] = address.size();
    barrier();
    for (int peer = 0; peer < size_; ++peer) {
      const auto index = static_cast<std::size_t>(peer);
      if (peer != rank_) {
        endpoint_->connect(peer, Bytes(board_.addresses[index]).first(board_.address_bytes[index]),
                           hosts != Hosts::other);
      }
    }
    barrier();
  }
  void close() { endpoint_.reset(); }
  /// As open(), with what it was given last. Collective.
  void reopen() { open(std::string(transport_), hosts_); }

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  [[nodiscard]] Endpoint& endpoint() noexcept { return *endpoint_; }

  void send(int peer, std::uint64_t tag, Bytes data, Transfer& transfer) {
    post(transfer, [&] { endpoint_->send(peer, tag, data, transfer); });
  }
  void receive(int peer, std::uint64_t tag, MutableBytes buffer, Transfer& transfer) {
    post(transfer, [&] { endpoint_->receive(peer, tag, buffer, transfer); });
  }

  /// Progresses until `condition()` holds; throws when it does not for too long, or another rank has failed.
  template <typename Condition>
  void progress_until(Condition condition, std::string_view what) {
    const Deadline deadline = Deadline::in(kPatienceSeconds);
    while (!condition()) {
      if (endpoint_ == nullptr || !endpoint_->progress()) ::sched_yield();
      expect(board_.failures.load() == 0, "gave up on ", what, " because another rank failed");
      expect(!deadline.expired(), "waited ", kPatienceSeconds, " s for ", what);
    }
  }
  /// Waits until the transfer is done and expects `status`.
  void complete(Transfer& transfer, std::string_view what, Status status = Status::ok) {
    progress_until([&] { return transfer.state == Transfer::State::done; }, what);
    expect(transfer.status == status, what, " ended with status ", static_cast<int>(transfer.status), ", expected ",
           static_cast<int>(status));
  }
  void barrier() {
    const int goal = ++barriers_ * size_;
    board_.arrivals.fetch_add(1);
    progress_until([&] { return board_.arrivals.load() >= goal; }, "the other ranks at a barrier");
  }

 private:
  template <typename Post>
  void post(Transfer& transfer, Post post_it) {
    const int before = notified_;
    const auto notify = transfer.notify;
    if (notify == nullptr) {
      transfer.context = this;
      transfer.notify = [](Transfer& done) noexcept { ++static_cast<World*>(done.context)->notified_; };
    }
    post_it();
    expect(transfer.state != Transfer::State::idle, "a posted transfer is still idle");
    expect(notified_ == before, "notify was called from within a post");
  }

  int rank_;
  int size_;
  SharedBoard& board_;
  std::string transport_;
  Hosts hosts_ = Hosts::same;
  std::unique_ptr<Endpoint> endpoint_;
  int barriers_ = 0;
  int notified_ = 0;
};

using RankMain = std::function<void(World&)>;

inline void fail_rank(SharedBoard& board, int rank, const std::string& text) {
  std::array<char, 1024>& place = board.failure_texts[static_cast<std::size_t>(rank)];
  std::snprintf(place.data(), place.size(), "%s", text.c_str());
  board.failures.fetch_add(1);
}

/// Runs rank_main on `size` ranks that are threads of this process.
inline void run_threads(int size, const RankMain& rank_main) {
  const auto board = std::make_unique<SharedBoard>();
  run_ranks(size, [&](int rank) {
    World world(rank, size, *board);
    try {
      rank_main(world);
    } catch (const std::exception& error) {
      fail_rank(*board, rank, error.what());
      throw;
    }
  });
}

}  // namespace gossamer::test
