#include "lib/bootstrap_round.hpp"

namespace gossamer {

std::optional<std::size_t> cause_of(const std::vector<Report>& reports, std::size_t own) {
  constexpr auto timeout = static_cast<std::int32_t>(Status::timeout);
  for (const bool late : {false, true}) {
    const auto fits = [&](const Report& report) { return report.status != 0 && (report.status == timeout) == late; };
    if (fits(reports[own])) return own;
    const auto first = std::find_if(reports.begin(), reports.end(), fits);
    if (first != reports.end()) return static_cast<std::size_t>(first - reports.begin());
  }
  return std::nullopt;
}

std::vector<std::vector<std::byte>> gather_blobs(Bootstrap& bootstrap, Bytes mine) {
  const std::vector<std::uint64_t> sizes =
      round<std::uint64_t>(bootstrap, [&](std::uint64_t& size) { size = mine.size(); });
  const std::uint64_t stride = *std::max_element(sizes.begin(), sizes.end());
  std::vector<std::byte> padded(mine.begin(), mine.end());
  padded.resize(stride);
  const std::vector<std::byte> all = bootstrap.allgather(padded);
  std::vector<std::vector<std::byte>> blobs;
  for (std::size_t rank = 0; rank < sizes.size(); ++rank) {
    const Bytes blob = Bytes(all).subspan(rank * stride, sizes[rank]);
    blobs.emplace_back(blob.begin(), blob.end());
  }
  return blobs;
}

}  // namespace gossamer
