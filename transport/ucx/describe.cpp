#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "transport/ucx/endpoint.hpp"

namespace gossamer::ucx {
namespace {

/// UCX tells what an endpoint uses only in print: lines such as "lane[0]:  1:sysv/memory.0 md[1] -> … am am_bw#0".
std::string lanes_of(ucp_ep_h ep) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* const stream = ::open_memstream(&text, &size);
  if (stream == nullptr) return "unknown";
  ucp_ep_print_info(ep, stream);
  std::fclose(stream);
  std::istringstream lines(std::string(text, size));
  std::free(text);
  std::string lanes;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t lane = line.find("lane[");
    const std::size_t colon = lane == std::string::npos ? lane : line.find(':', line.find("]:") + 2);
    if (colon == std::string::npos) continue;
    const std::string device = line.substr(colon + 1, line.find(' ', colon) - colon - 1);
    if (lanes.find(device) != std::string::npos) continue;
    lanes += (lanes.empty() ? "" : " ") + device;
  }
  return lanes.empty() ? "not connected yet" : lanes;
}

}  // namespace

std::string UcxEndpoint::describe() const {
  std::ostringstream text;
  text << "transport ucx: UCX " << ucp_get_version_string() << ", TLS " << tls_ << '\n';
  for (std::size_t rank = 0; rank < peers_.size(); ++rank) {
    if (peers_[rank] == nullptr) continue;
    const Peer& peer = *peers_[rank];
    text << "  rank " << rank << ": " << (peer.failed ? "failed" : lanes_of(peer.ep))
         << (peer.same_host ? ", same host" : ", other host") << '\n';
  }
  return std::move(text).str();
}

}  // namespace gossamer::ucx
