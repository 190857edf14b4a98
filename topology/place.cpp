#include <hwloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>

#include "lib/base/philox.hpp"
#include "topology/topology.hpp"

namespace gossamer {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string network_namespace() {
  struct stat status {};
  return stat("/proc/self/ns/net", &status) == 0 ? std::to_string(status.st_ino) : std::string();
}

std::string hostname() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

// The boot id tells machines apart whatever their names are. The network namespace separates containers, and the
// emulated hosts of a single machine, that must talk through the network as if they were far apart.
std::uint64_t host_identity() {
  const std::string identity =
      first_line("/proc/sys/kernel/random/boot_id") + '\n' + network_namespace() + '\n' + hostname();
  return fnv1a(identity.data(), identity.size());
}

using TopologyHandle = std::unique_ptr<hwloc_topology, decltype(&hwloc_topology_destroy)>;
using BitmapHandle = std::unique_ptr<hwloc_bitmap_s, decltype(&hwloc_bitmap_free)>;

// Processing units and NUMA nodes are always discovered; everything else (caches, cores, devices) is filtered out to
// save time. hwloc's x86 backend is left out because it moves the calling thread over every core of the machine, which
// takes longest where all cores are busy; the operating system's own backend knows the NUMA nodes.
TopologyHandle load_numa_nodes() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return {nullptr, hwloc_topology_destroy};
  TopologyHandle topology(raw, hwloc_topology_destroy);
  hwloc_topology_set_all_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_components(raw, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
  if (hwloc_topology_load(raw) != 0) topology.reset();
  return topology;
}

int numa_node() {
  const TopologyHandle topology = load_numa_nodes();
  const BitmapHandle cpus(hwloc_bitmap_alloc(), hwloc_bitmap_free);
  const BitmapHandle nodes(hwloc_bitmap_alloc(), hwloc_bitmap_free);
  if (!topology || !cpus || !nodes) return 0;
  // Where the thread last ran lies within its binding, so this serves bound and unbound threads alike.
  if (hwloc_get_last_cpu_location(topology.get(), cpus.get(), HWLOC_CPUBIND_THREAD) != 0) return 0;
  hwloc_cpuset_to_nodeset(topology.get(), cpus.get(), nodes.get());
  const int node = hwloc_bitmap_first(nodes.get());
  return node < 0 ? 0 : node;
}

}  // namespace

Place this_place() {
  return {host_identity(), numa_node()};
}

}  // namespace gossamer
