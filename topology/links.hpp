#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "topology/topology.hpp"

namespace gossamer {

/// What a message takes from one rank to another.
struct Link {
  double latency_seconds = 0;
  double bytes_per_second = 1;

  [[nodiscard]] double seconds(double bytes) const noexcept { return latency_seconds + bytes / bytes_per_second; }
};

/// What is supposed where nobody has measured.
inline constexpr Link kSupposedWithinHost{1e-6, 5e9};
inline constexpr Link kSupposedBetweenHosts{20e-6, 1.25e9};

/// The links between all ranks, alike in both directions. Any two ranks of two hosts have the same link, the ranks of a
/// host share its way out, and the hosts of a rack that of the rack.
class Links {
 public:
  /// All links are alike, and every rank is on a host of its own. Good for any number of ranks.
  static Links uniform(const Link& link);
  static Links supposed(std::span<const Place> places);
  Links(std::span<const Place> places, const Link& same_host, const Link& other_host);

  /// Ranks of different hosts: also for all others of these hosts.
  void set(int a, int b, const Link& link);
  /// After the last set(): finds racks. A link is slow for a host if it has no more than half of the rate of its
  /// fastest one; hosts joined by links that are slow for neither end are together. If there is a link from them to
  /// others that is slow for both ends, they are a rack, and all that leaves it takes one way. Every link between two
  /// racks then gets the rate of the fastest. Other hosts are racks of their own.
  void find_racks();
  /// Of two different ranks.
  [[nodiscard]] const Link& between(int a, int b) const;
  /// The lowest rank on the same host.
  [[nodiscard]] int first_of_host(int rank) const noexcept {
    return first_of_host_.empty() ? rank : first_of_host_[static_cast<std::size_t>(rank)];
  }
  /// The lowest rank in the same rack; until racks are found, hosts are racks.
  [[nodiscard]] int first_of_rack(int rank) const noexcept {
    return first_of_rack_.empty() ? first_of_host(rank) : first_of_rack_[static_cast<std::size_t>(rank)];
  }
  /// Whether anything was set.
  [[nodiscard]] bool measured() const noexcept { return !set_.empty(); }
  /// "within hosts 0.9 to 1.2 us, 3.1 to 4 GB/s; between hosts 21 us, 0.12 GB/s": what set() was told and find_racks()
  /// made of it, or the supposed. Then racks, if any: "; racks of 4, 2 hosts".
  [[nodiscard]] std::string text() const;

 private:
  [[nodiscard]] std::uint64_t key(int a, int b) const noexcept;
  /// Calls visitor(a, b, link), a < b, for all that was set, or for what is between hosts.
  template <typename Visitor>
  void visit(const Visitor& visitor) const;
  template <typename Visitor>
  void visit_hosts(const Visitor& visitor) const;
  void level_racks();

  std::vector<int> first_of_host_;  // by rank; empty: every rank is alone on its host
  std::vector<int> first_of_rack_;  // by rank; empty: not found yet
  Link same_host_;
  Link other_host_;
  std::unordered_map<std::uint64_t, Link> set_;
};

}  // namespace gossamer
