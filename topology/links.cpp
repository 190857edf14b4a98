#include "topology/links.hpp"

#include <algorithm>
#include <iomanip>
#include <map>
#include <unordered_set>
#include <utility>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

// "0.9 to 1.2 us", of values in seconds or bytes per second.
std::string range_text(double least, double most, double unit, const char* name) {
  const std::string low = sentence(std::setprecision(3), least / unit);
  const std::string high = sentence(std::setprecision(3), most / unit);
  return (low == high ? low : low + " to " + high) + name;
}

// The extremes of several links.
class Extent {
 public:
  void add(const Link& link) {
    if (std::exchange(any_, true)) {
      least_.latency_seconds = std::min(least_.latency_seconds, link.latency_seconds);
      least_.bytes_per_second = std::min(least_.bytes_per_second, link.bytes_per_second);
      most_.latency_seconds = std::max(most_.latency_seconds, link.latency_seconds);
      most_.bytes_per_second = std::max(most_.bytes_per_second, link.bytes_per_second);
    } else {
      least_ = most_ = link;
    }
  }
  [[nodiscard]] bool any() const noexcept { return any_; }
  [[nodiscard]] std::string text() const {
    return range_text(least_.latency_seconds, most_.latency_seconds, 1e-6, " us, ") +
           range_text(least_.bytes_per_second, most_.bytes_per_second, 1e9, " GB/s");
  }

 private:
  bool any_ = false;
  Link least_;
  Link most_;
};

}  // namespace

Links Links::uniform(const Link& link) {
  return {{}, link, link};
}

Links Links::supposed(std::span<const Place> places) {
  return {places, kSupposedWithinHost, kSupposedBetweenHosts};
}

Links::Links(std::span<const Place> places, const Link& same_host, const Link& other_host)
    : same_host_(same_host), other_host_(other_host) {
  std::unordered_map<std::uint64_t, int> first;
  for (const Place& place : places) {
    const auto rank = static_cast<int>(first_of_host_.size());
    first_of_host_.push_back(first.try_emplace(place.host, rank).first->second);
  }
}

std::uint64_t Links::key(int a, int b) const noexcept {
  if (first_of_host(a) != first_of_host(b)) {
    a = first_of_host(a);
    b = first_of_host(b);
  }
  const auto [low, high] = std::minmax(a, b);
  return std::uint64_t{static_cast<std::uint32_t>(high)} << 32 | static_cast<std::uint32_t>(low);
}

void Links::set(int a, int b, const Link& link) {
  set_.insert_or_assign(key(a, b), link);
}

template <typename Visitor>
void Links::visit(const Visitor& visitor) const {
  for (const auto& [pair, link] : set_) {
    visitor(static_cast<int>(pair & 0xFFFFFFFFU), static_cast<int>(pair >> 32), link);
  }
}

template <typename Visitor>
void Links::visit_hosts(const Visitor& visitor) const {
  visit([&](int low, int high, const Link& link) {
    if (first_of_host(low) != first_of_host(high)) visitor(low, high, link);
  });
}

// What is found does not depend on the order of visits: they take maxima and minima.
void Links::find_racks() {
  constexpr double kSlow = 0.5;
  if (first_of_host_.empty()) return;       // all links are alike
  std::unordered_map<int, double> fastest;  // of each host
  visit_hosts([&](int a, int b, const Link& link) {
    for (const int host : {a, b}) fastest[host] = std::max(fastest[host], link.bytes_per_second);
  });
  const auto slow_for = [&](int host, const Link& link) { return link.bytes_per_second <= kSlow * fastest.at(host); };

  // Hosts with a link that is slow for neither are together: of two labels the lower one stays.
  std::vector<int> joined = first_of_host_;
  const auto label = [&](int host) {
    while (joined[static_cast<std::size_t>(host)] != host) host = joined[static_cast<std::size_t>(host)];
    return host;
  };
  visit_hosts([&](int a, int b, const Link& link) {
    if (slow_for(a, link) || slow_for(b, link)) return;
    const auto [kept, gone] = std::minmax({label(a), label(b)});
    joined[static_cast<std::size_t>(gone)] = kept;
  });
  // A link that is slow for both its ends is so because of what lies between them.
  std::unordered_set<int> apart;
  visit_hosts([&](int a, int b, const Link& link) {
    if (label(a) != label(b) && slow_for(a, link) && slow_for(b, link)) apart.insert({label(a), label(b)});
  });
  first_of_rack_.clear();
  for (const int host : first_of_host_) first_of_rack_.push_back(apart.contains(label(host)) ? label(host) : host);
  if (!apart.empty()) level_racks();
}

// Pairs that are measured together share the way between their racks, so the fastest of them is the way's rate.
void Links::level_racks() {
  std::map<std::pair<int, int>, Link> best;
  const auto ways = [&](int a, int b) { return std::minmax({first_of_rack(a), first_of_rack(b)}); };
  visit_hosts([&](int a, int b, const Link& link) {
    if (first_of_rack(a) == first_of_rack(b)) return;
    Link& way = best.try_emplace(ways(a, b), link).first->second;
    way.latency_seconds = std::min(way.latency_seconds, link.latency_seconds);
    way.bytes_per_second = std::max(way.bytes_per_second, link.bytes_per_second);
  });
  std::vector<int> hosts;
  for (int rank = 0; rank < static_cast<int>(first_of_host_.size()); ++rank) {
    if (first_of_host(rank) == rank) hosts.push_back(rank);
  }
  for (const int a : hosts) {
    for (const int b : hosts) {
      if (b <= a || first_of_rack(a) == first_of_rack(b)) continue;
      if (const auto way = best.find(ways(a, b)); way != best.end()) set(a, b, way->second);
    }
  }
}

const Link& Links::between(int a, int b) const {
  if (!set_.empty()) {
    const auto found = set_.find(key(a, b));
    if (found != set_.end()) return found->second;
  }
  return first_of_host(a) == first_of_host(b) ? same_host_ : other_host_;
}

std::string Links::text() const {
  Extent within;
  Extent across;
  visit([&](int low, int high, const Link& link) {
    (first_of_host(low) == first_of_host(high) ? within : across).add(link);
  });
  if (!within.any() && !across.any()) {
    within.add(same_host_);
    across.add(other_host_);
  }
  std::string text;
  if (within.any()) text += "within hosts " + within.text();
  if (across.any()) text += (text.empty() ? "" : "; ") + ("between hosts " + across.text());
  std::map<int, int> hosts_of;
  for (std::size_t rank = 0; rank < first_of_rack_.size(); ++rank) {
    if (first_of_host_[rank] == static_cast<int>(rank)) ++hosts_of[first_of_rack_[rank]];
  }
  constexpr std::size_t kShown = 16;
  std::vector<int> racks;
  for (const auto& [first, hosts] : hosts_of) {
    if (hosts > 1) racks.push_back(hosts);
  }
  if (racks.empty()) return text;
  text += "; racks of ";
  for (std::size_t i = 0; i < std::min(racks.size(), kShown); ++i) text += sentence(i == 0 ? "" : ", ", racks[i]);
  return text + (racks.size() > kShown ? ", ... hosts" : " hosts");
}

}  // namespace gossamer
