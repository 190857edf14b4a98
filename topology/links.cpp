#include "topology/links.hpp"

#include <algorithm>
#include <iomanip>
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

// By single linkage: of two racks that turn out to be one, the later takes the label of the earlier.
void Links::find_racks() {
  constexpr double kNear = 0.5;
  std::vector<int> hosts;
  for (std::size_t rank = 0; rank < first_of_host_.size(); ++rank) {
    if (first_of_host_[rank] == static_cast<int>(rank)) hosts.push_back(static_cast<int>(rank));
  }
  const auto rate = [&](std::size_t a, std::size_t b) { return between(hosts[a], hosts[b]).bytes_per_second; };
  std::vector<double> fastest(hosts.size(), 0);
  for (std::size_t a = 0; a < hosts.size(); ++a) {
    for (std::size_t b = 0; b < hosts.size(); ++b) {
      if (a != b) fastest[a] = std::max(fastest[a], rate(a, b));
    }
  }
  std::vector<int> rack = hosts;
  for (std::size_t a = 0; a < hosts.size(); ++a) {
    for (std::size_t b = a + 1; b < hosts.size(); ++b) {
      if (rack[a] == rack[b] || rate(a, b) <= kNear * std::max(fastest[a], fastest[b])) continue;
      const auto [kept, gone] = std::minmax({rack[a], rack[b]});
      std::replace(rack.begin(), rack.end(), gone, kept);
    }
  }
  // Where one leaves as fast as it gets anywhere, there is no slow way out: hosts that are slow by themselves, say.
  std::unordered_map<int, int> first;
  std::unordered_set<int> open;
  for (std::size_t a = 0; a < hosts.size(); ++a) {
    for (std::size_t b = 0; b < hosts.size(); ++b) {
      if (rack[a] != rack[b] && rate(a, b) > kNear * fastest[a]) open.insert(rack[a]);
    }
  }
  for (std::size_t a = 0; a < hosts.size(); ++a) first.emplace(hosts[a], open.contains(rack[a]) ? hosts[a] : rack[a]);
  first_of_rack_.clear();
  for (const int host : first_of_host_) first_of_rack_.push_back(first.at(host));
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
  for (const auto& [pair, link] : set_) {
    const auto low = static_cast<int>(pair & 0xFFFFFFFFU);
    const auto high = static_cast<int>(pair >> 32);
    (first_of_host(low) == first_of_host(high) ? within : across).add(link);
  }
  if (!within.any() && !across.any()) {
    within.add(same_host_);
    across.add(other_host_);
  }
  std::string text;
  if (within.any()) text += "within hosts " + within.text();
  if (across.any()) text += (text.empty() ? "" : "; ") + ("between hosts " + across.text());
  return text;
}

}  // namespace gossamer
