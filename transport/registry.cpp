#include <array>

#include "transport/entries.hpp"

namespace gossamer {
namespace {

const std::array kTransports = {
    inproc_entry(),
    ucx_entry(),
};

}  // namespace

std::span<const TransportEntry> transports() noexcept {
  return kTransports;
}

const TransportEntry& find_transport(std::string_view name) {
  std::vector<std::string_view> known;
  for (const TransportEntry& entry : kTransports) {
    if (entry.name == name) return entry;
    known.push_back(entry.name);
  }
  refuse_unknown("transport", name, known);
}

}  // namespace gossamer
