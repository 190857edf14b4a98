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
  /// After the last set(): takes hosts that reach each other at more than half of the rate at which they reach anybody,
  /// directly or by way of such hosts, for a rack. All that leaves it is supposed to take one way.
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
  /// "within hosts 0.9 to 1.2 us, 3.1 to 4 GB/s; between hosts 21 us, 0.12 GB/s": what set() was told, or the supposed.
  [[nodiscard]] std::string text() const;

 private:
  [[nodiscard]] std::uint64_t key(int a, int b) const noexcept;

  std::vector<int> first_of_host_;  // by rank; empty: every rank is alone on its host
  std::vector<int> first_of_rack_;  // by rank; empty: not found yet
  Link same_host_;
  Link other_host_;
  std::unordered_map<std::uint64_t, Link> set_;
};

}  // namespace gossamer
