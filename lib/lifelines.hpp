#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/bytes.hpp"
#include "lib/base/deadline.hpp"
#include "lib/net/contact.hpp"
#include "lib/net/frame_stream.hpp"

namespace gossamer {

/// News of a failure.
struct Casualty {
  int rank = -1;                 ///< whom it is about; −1: nobody in particular
  Status status = Status::peer;  ///< what calls are to report
  std::string sentence;          ///< and in words; at most `Lifelines::longest_sentence` bytes travel
};

/// Plain TCP sockets between graph neighbours that say "alive" and carry the news of a failure, whatever the transport
/// is. A process that ends, by exit or kill −9, is noticed at once by its neighbours' kernels; a host that vanishes
/// from the network, within 10 seconds (`vanished_seconds` of unanswered keepalives). A process that is merely stopped
/// is not noticed: its kernel answers for it. A child that a process forked without exec holds its lifelines open, too,
/// and hides the parent's death while it lives.
///
/// News floods: every rank hands on what it had not heard before, so all ranks of a connected graph learn of a failure
/// after at most its diameter of hops. One thread at a time; nothing blocks but connect().
class Lifelines {
 public:
  static constexpr std::size_t longest_sentence = 500;
  static constexpr int vanished_seconds = 8;

  /// Opens a listening socket on all interfaces. `interface` names the network device whose addresses are tried first;
  /// empty: any. Throws `system`.
  Lifelines(int rank, std::string_view interface);
  /// Closes the lifelines; the neighbours take it for a death unless farewell() was said.
  ~Lifelines() = default;
  Lifelines(Lifelines&&) = delete;

  /// How neighbours reach this rank: Contact::blob_bytes bytes for the bootstrap.
  [[nodiscard]] std::vector<std::byte> address() const { return self_.blob(); }
  /// Connects to the neighbours, each of which calls this too; the spans are indexed by rank. Once.
  /// Strangers on the port are ignored. Throws, and tells the neighbours already connected: `system` (no route to a
  /// rank, with the addresses tried and what each said), `timeout` (names the rank that never came), or whatever a
  /// neighbour reports.
  void connect(std::span<const int> neighbours, std::span<const std::vector<std::byte>> addresses,
               std::span<const char> same_host, double timeout_seconds);

  /// Reads what has come and hands it on; the next casualty not known before, in the order heard. Costs a system call.
  /// Call until it returns nothing before sleeping on wait_fd().
  std::optional<Casualty> poll();
  /// Tells all neighbours, unless there was news about that rank before; poll() does not return it here.
  void announce(const Casualty& casualty);
  /// Readable when poll() has something to do.
  [[nodiscard]] int wait_fd() const noexcept { return epoll_.get(); }

  /// Tells the neighbours that this rank is in a call, which asks them for the same. Done once; later calls do nothing.
  void attend();
  /// Some neighbour has asked, or this rank has: attend() is due when this rank is in a call.
  [[nodiscard]] bool roll_called() const noexcept { return !present_.empty(); }
  /// Whether that neighbour has said that it is in a call.
  [[nodiscard]] bool present(int neighbour) const noexcept { return present_.contains(neighbour); }

  /// Says goodbye: the end of this rank's lifelines is no casualty from now on.
  void farewell();
  /// Every neighbour has said goodbye or is dead. Call poll() to keep it up to date.
  [[nodiscard]] bool all_said_farewell() const noexcept;
  /// Neighbours that have said goodbye, ascending.
  [[nodiscard]] std::vector<int> departed() const;

 private:
  struct Neighbour {
    int rank;
    std::string host;
    FrameStream stream;
    bool said_farewell = false;
    bool closed = false;
    bool watched_for_write = false;

    [[nodiscard]] std::string name() const { return sentence("rank ", rank, " (host ", host, ")"); }
  };
  struct Meeting;  // what connect() keeps while it lasts

  void meet(Meeting& meeting);
  void answer_strangers(Meeting& meeting);
  void dial(Meeting& meeting);
  void add(int rank, const Contact& contact, FrameStream stream);
  void serve(Neighbour& neighbour);
  void take_frames(Neighbour& neighbour);
  void hear(const Casualty& casualty, const Neighbour* from);
  void send(Neighbour& neighbour, std::uint32_t kind, Bytes payload);
  void watch(Neighbour& neighbour);
  void close(Neighbour& neighbour);

  int rank_;
  int size_ = 0;
  Fd listener_;
  Fd epoll_;
  Contact self_;
  std::vector<Neighbour> neighbours_;  // in the order they connected; epoll events carry the index
  std::set<int> known_;                // whom there has been news about
  std::deque<Casualty> news_;          // heard, not yet returned by poll()
  std::set<int> present_;              // this rank, once it has asked or answered, and who has asked or answered it
};

}  // namespace gossamer
