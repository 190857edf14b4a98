#include <array>

#include "transport/entries.hpp"
#include "transport/ucx/endpoint.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"tls", "auto",
        "UCX's transports, joined by '+' (tls=self+tcp); auto: UCX_TLS if set, else shared memory within a host and "
        "the "
        "network between hosts"},
    Key{"cma", "off",
        "single-copy reads from a neighbour's memory within a host, under tls=auto: on or off; faster on some "
        "machines, "
        "but UCX ends the process when the neighbour dies"},
};

std::unique_ptr<Endpoint> open(const Options& options, const EndpointContext& context) {
  return std::make_unique<ucx::UcxEndpoint>(options, context);
}

}  // namespace

TransportEntry ucx_entry() noexcept {
  return {"ucx", "UCX tag messages: shared memory within a host, TCP or RDMA between hosts", kKeys, open, false};
}

}  // namespace gossamer
