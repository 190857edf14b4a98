#include "transport/ucx/settings.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

namespace gossamer::ucx {
namespace {

struct Setting {
  const char* name;  ///< without UCX_
  const char* value;
};

/// Measured, see docs/transports.md. Only what no UCX_ variable of the user's sets.
constexpr std::array kDefaults = {
    Setting{"MEMTYPE_CACHE", "n"},
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

bool set_by_user(const char* name) {
  return std::getenv((std::string("UCX_") + name).c_str()) != nullptr;
}

void modify(ucp_config_t* config, const char* name, const std::string& value) {
  const ucs_status_t status = ucp_config_modify(config, name, value.c_str());
  if (status != UCS_OK) {
    fail(Status::argument, status_sentence(sentence("setting ", name, " to '", value, "'"), status));
  }
}

std::vector<std::string> network_devices() {
  std::vector<std::string> names;
  for (const char* folder : {"/sys/class/net", "/sys/class/infiniband"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      names.push_back(entry.path().filename().string());
    }
  }
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

/// In words of what to leave out, so that RDMA transports come in where the hardware is, and nothing warns where not.
std::string choose_tls(const Options& options, const EndpointContext& context) {
  if (options.given("tls") && options.text("tls") != "auto") {
    std::string tls = options.text("tls");
    std::replace(tls.begin(), tls.end(), '+', ',');
    return tls;
  }
  if (const char* user = std::getenv("UCX_TLS"); user != nullptr && !options.given("tls")) return user;
  if (!context.any_same_host) return "^posix,sysv,cma,knem,xpmem";
  return options.flag("cma") ? "all" : "^cma";
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
  if (!context.interface.empty()) check_interface(context.interface);
  const ucs_status_t status = ucp_config_read(nullptr, nullptr, &settings.config);
  if (status != UCS_OK) fail(Status::system, status_sentence("reading the configuration", status));
  try {
    modify(settings.config, "TLS", settings.tls);
    if (!context.interface.empty()) modify(settings.config, "NET_DEVICES", context.interface);
    for (const Setting& setting : kDefaults) {
      if (!set_by_user(setting.name)) modify(settings.config, setting.name, setting.value);
    }
  } catch (...) {
    ucp_config_release(settings.config);
    throw;
  }
  return settings;
}

}  // namespace gossamer::ucx
