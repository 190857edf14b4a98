#pragma once

#include <ucp/api/ucp.h>

#include <string>

#include "transport/transport.hpp"

namespace gossamer::ucx {

/// What the endpoint asks of UCX. A UCX_* variable of the user's always wins over a default, a key of the transport's
/// spec over both.
struct Settings {
  std::string tls;       ///< in force, in UCX's syntax
  bool shared_memory;    ///< some transport in `tls` works through memory shared within a host
  ucp_config_t* config;  ///< to be released by the caller
};

/// Reads UCX's configuration and modifies it (this process's environment is left alone). Throws `argument` when UCX
/// refuses a value, `interface` is no device of this machine, or shared memory is asked for where deaths are to be
/// survived; `system` when UCX cannot read its configuration.
Settings make_settings(const Options& options, const EndpointContext& context);

/// Whether a UCX_TLS value lets ranks of one host share memory.
bool includes_shared_memory(std::string_view tls);

/// "UCX: <what>: <UCX's word for status>".
std::string status_sentence(std::string_view what, ucs_status_t status);

}  // namespace gossamer::ucx
