#include "topology/prediction.hpp"

#include <algorithm>

namespace gossamer {
namespace {

// Of `busy_`, for each rank; a host's and a rack's are those of its lowest rank.
enum Way : std::size_t { out_of_rank, into_rank, out_of_host, into_host, out_of_rack, into_rack, ways };

}  // namespace

Rush::Rush(const Links& links, std::size_t ranks) : links_(links), busy_(ranks * ways, 0) {}

void Rush::send(int from, int to, double bytes) {
  const Link& link = links_.between(from, to);
  const double seconds = bytes / link.bytes_per_second;
  const auto busy = [this](int rank, Way way) -> double& { return busy_[static_cast<std::size_t>(rank) * ways + way]; };
  latency_seconds_ = std::max(latency_seconds_, link.latency_seconds);
  busy(from, out_of_rank) += seconds;
  busy(to, into_rank) += seconds;
  const int host = links_.first_of_host(from);
  const int other = links_.first_of_host(to);
  if (host == other) return;
  busy(host, out_of_host) += seconds;
  busy(other, into_host) += seconds;
  const int rack = links_.first_of_rack(from);
  const int other_rack = links_.first_of_rack(to);
  if (rack == other_rack) return;
  busy(rack, out_of_rack) += seconds;
  busy(other_rack, into_rack) += seconds;
}

double Rush::seconds() const {
  return latency_seconds_ + *std::max_element(busy_.begin(), busy_.end());
}

// Reduce-scatter and all-gather: each dimension cuts what is left of the bytes by its size.
double all_reduce_seconds(std::span<const Dimension> dimensions, std::span<const int> order, const Links& links,
                          double bytes) {
  double total = 0;
  std::size_t stride = 1;
  for (const Dimension& dimension : dimensions) {
    bytes /= static_cast<double>(dimension.size);
    Rush rush(links, order.size());
    const std::size_t hops = dimension.direct ? dimension.size - 1 : std::min<std::size_t>(dimension.size - 1, 1);
    for (std::size_t position = 0; position < order.size(); ++position) {
      const std::size_t digit = position / stride % dimension.size;
      for (std::size_t hop = 1; hop <= hops; ++hop) {
        const std::size_t peer = position + ((digit + hop) % dimension.size - digit) * stride;
        rush.send(order[position], order[peer], bytes);
      }
    }
    total += 2 * static_cast<double>(dimension.direct ? 1 : dimension.size - 1) * rush.seconds();
    stride *= dimension.size;
  }
  return total;
}

}  // namespace gossamer
