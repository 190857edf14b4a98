#include "transport/ucx/settings.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

namespace gossamer::ucx {
namespace {

/// A default of ours, where measurement (docs/transports.md) found a better one than UCX's.
struct Setting {
  const char* key;  ///< for ucp_config_modify
  const char* value;
  std::array<const char*, 3> variables;  ///< any of these in the environment means that the user has chosen
};

/// No GPU memory comes here: spares every message a look at whose memory its buffer is.
constexpr Setting kNoMemoryTypes = {"MEMTYPE_CACHE", "n", {"UCX_MEMTYPE_CACHE"}};

/// Receives are posted ahead, so a rendezvous only costs a round trip per message; where the network reads memory by
/// itself it saves a copy, and UCX knows best when.
constexpr Setting kNoRendezvous = {"RNDV_THRESH", "inf", {"UCX_RNDV_THRESH"}};
/// UCX 1.13 ends the process when a TCP peer dies while a message of several fragments is sent without copying; copying
/// costs nothing measurable.
constexpr Setting kNoZeroCopy = {"ZCOPY_THRESH", "inf", {"UCX_ZCOPY_THRESH"}};

/// With single copies a rendezvous pays from a dozen pages on.
constexpr Setting kSingleCopyThreshold = {"RNDV_THRESH", "48k", {"UCX_RNDV_THRESH"}};

/// A rank's shared-memory FIFO holds segment x slots bytes in turn: 1 MiB, which stays in a core's L2 and needs a
/// quarter of the hand-overs of UCX's 8 KiB x 64. Segments of 64 KiB overflow a 16-bit length in UCX 1.13.
constexpr std::array kSharedMemory = {
    Setting{"MM_SEG_SIZE", "32k", {"UCX_SYSV_SEG_SIZE", "UCX_POSIX_SEG_SIZE", "UCX_MM_SEG_SIZE"}},
    Setting{"MM_FIFO_SIZE", "32", {"UCX_SYSV_FIFO_SIZE", "UCX_POSIX_FIFO_SIZE", "UCX_MM_FIFO_SIZE"}},
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    if (end > start) parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

void modify(ucp_config_t* config, const char* name, const std::string& value) {
  const ucs_status_t status = ucp_config_modify(config, name, value.c_str());
  if (status != UCS_OK) {
    fail(Status::argument, status_sentence(sentence("setting ", name, " to '", value, "'"), status));
  }
}

void suggest(ucp_config_t* config, const Setting& setting) {
  const auto set = [](const char* variable) { return variable != nullptr && std::getenv(variable) != nullptr; };
  if (std::none_of(setting.variables.begin(), setting.variables.end(), set)) modify(config, setting.key, setting.value);
}

std::vector<std::string> names_in(const char* folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

bool includes_single_copy(std::string_view tls) {
  const std::vector<std::string_view> listed = split(tls, ',');
  return tls == "all" || (!tls.starts_with('^') && std::find(listed.begin(), listed.end(), "cma") != listed.end());
}

constexpr const char* kRdmaDevices = "/sys/class/infiniband";

std::vector<std::string> network_devices() {
  std::vector<std::string> names = names_in("/sys/class/net");
  for (std::string& name : names_in(kRdmaDevices)) names.push_back(std::move(name));
  std::sort(names.begin(), names.end());
  return names;
}

/// UCX only warns about a device that it does not know, and goes another way.
void check_interface(const std::string& interface) {
  const std::vector<std::string> known = network_devices();
  for (const std::string_view device : split(interface, ',')) {
    const std::string name(device.substr(0, device.find(':')));  // mlx5_0:1 is port 1 of mlx5_0
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::vector<std::string_view> views(known.begin(), known.end());
    refuse_unknown("network device", name, views);
  }
}

/// No shared memory where deaths are to be survived. Between hosts in words of what to leave out, so that RDMA
/// transports come in where the hardware is, and nothing warns where it is not. On one host by name: any network
/// transport left in would be polled by a system call at each progress.
std::string choose_tls(const Options& options, const EndpointContext& context) {
  if (options.given("tls") && options.text("tls") != "auto") {
    std::string tls = options.text("tls");
    std::replace(tls.begin(), tls.end(), '+', ',');
    return tls;
  }
  if (const char* user = std::getenv("UCX_TLS"); user != nullptr && !options.given("tls")) return user;
  const bool cma = options.flag("cma");
  if (context.survives && !context.any_other_host) return "self,tcp";
  if (context.survives || !context.any_same_host) return "^sm";
  if (context.any_other_host) return cma ? "all" : "^cma";
  return cma ? "self,posix,cma" : "self,posix,sysv";
}

void suggest_defaults(const Settings& settings, const EndpointContext& context) {
  const bool rdma = !names_in(kRdmaDevices).empty();
  suggest(settings.config, kNoMemoryTypes);
  if (!rdma && !includes_single_copy(settings.tls)) suggest(settings.config, kNoZeroCopy);
  if (includes_single_copy(settings.tls)) {
    suggest(settings.config, kSingleCopyThreshold);
  } else if (!rdma || !context.any_other_host) {
    suggest(settings.config, kNoRendezvous);
  }
  if (!settings.shared_memory) return;
  for (const Setting& setting : kSharedMemory) suggest(settings.config, setting);
}

}  // namespace

std::string status_sentence(std::string_view what, ucs_status_t status) {
  return sentence("UCX: ", what, ": ", ucs_status_string(status));
}

bool includes_shared_memory(std::string_view tls) {
  constexpr std::array<std::string_view, 5> kMapped = {"posix", "sysv", "xpmem", "mm", "shm"};
  const bool negated = tls.starts_with('^');
  const std::vector<std::string_view> listed = split(tls.substr(negated ? 1 : 0), ',');
  const auto lists = [&](std::string_view name) {
    return std::find(listed.begin(), listed.end(), name) != listed.end();
  };
  if (negated)
    return !lists("all") && !lists("mm") && !lists("shm") && !lists("sm") && !(lists("posix") && lists("sysv"));
  return lists("all") || lists("sm") || std::any_of(kMapped.begin(), kMapped.end(), lists);
}

Settings make_settings(const Options& options, const EndpointContext& context) {
  Settings settings{choose_tls(options, context), false, nullptr};
  settings.shared_memory = includes_shared_memory(settings.tls);
  // All senders of a host write into one queue of the receiver's. Who dies between taking a place there and filling it
  // leaves a gap that the receiver waits at for ever, whoever else sends to it.
  if (context.survives && settings.shared_memory) {
    fail(Status::argument, "transport ucx: shared memory (UCX_TLS=", settings.tls,
         ") does not go on when a rank dies, as on_failure=continue asks; leave tls to the library, or take "
         "tls=self+tcp");
  }
  if (!context.interface.empty()) check_interface(context.interface);
  const ucs_status_t status = ucp_config_read(nullptr, nullptr, &settings.config);
  if (status != UCS_OK) fail(Status::system, status_sentence("reading the configuration", status));
  try {
    modify(settings.config, "TLS", settings.tls);
    if (!context.interface.empty()) modify(settings.config, "NET_DEVICES", context.interface);
    suggest_defaults(settings, context);
  } catch (...) {
    ucp_config_release(settings.config);
    throw;
  }
  return settings;
}

}  // namespace gossamer::ucx
