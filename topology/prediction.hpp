#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "topology/links.hpp"

namespace gossamer {

/// The time of messages that are under way together. Each keeps its sender, its receiver and, between hosts, the way
/// out of the one and into the other busy for bytes / bandwidth, and so between racks; all are through after the
/// longest latency and the busiest of these.
class Rush {
 public:
  Rush(const Links& links, std::size_t ranks);

  void send(int from, int to, double bytes);
  [[nodiscard]] double seconds() const;

 private:
  const Links& links_;
  double latency_seconds_ = 0;
  std::vector<double> busy_;  // seconds of the ways out of, and into, each rank, host and rack
};

/// The time of one exact all-reduce of `bytes` along dimensions (strides are not looked at); `order` has the ranks by
/// position. Counts messages alone: no arithmetic, nothing overlaps.
double all_reduce_seconds(std::span<const Dimension> dimensions, std::span<const int> order, const Links& links,
                          double bytes);

}  // namespace gossamer
