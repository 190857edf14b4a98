#include <array>
#include <string_view>

#include "lib/base/spec.hpp"
#include "topology/entries.hpp"

namespace gossamer {
namespace {

#define GOSSAMER_CALL(name) name##_entry(),
const std::array kTopologies = {GOSSAMER_TOPOLOGIES(GOSSAMER_CALL)};
#undef GOSSAMER_CALL

}  // namespace

std::span<const TopologyEntry> topologies() noexcept {
  return kTopologies;
}

const TopologyEntry& find_topology(std::string_view name) {
  std::vector<std::string_view> known;
  for (const TopologyEntry& entry : topologies()) {
    if (entry.name == name) return entry;
    known.push_back(entry.name);
  }
  refuse_unknown("topology", name, known);
}

}  // namespace gossamer
