#include "tools/info.hpp"

#include <hwy/highway.h>

#include <cstdio>
#include <string>
#include <vector>

#include "compress/codec.hpp"
#include "lib/config.hpp"
#include "lib/gossip/mixer.hpp"
#include "lib/gossip/outer.hpp"
#include "tools/json.hpp"
#include "tools/perf_ranks.hpp"
#include "tools/perf_session.hpp"
#include "topology/topology.hpp"
#include "transport/transport.hpp"

namespace gossamer::tools {
namespace {

/// One line of a registry, as info shows it.
struct Item {
  std::string name;
  std::string summary;
  std::vector<Key> keys;
};

std::vector<Item> codec_items() {
  std::vector<Item> items;
  for (const CodecEntry& entry : codecs()) {
    items.push_back({std::string(entry.name), std::string(entry.summary), keys_of(entry)});
  }
  return items;
}

std::vector<Item> topology_items() {
  std::vector<Item> items;
  for (const TopologyEntry& entry : topologies()) {
    items.push_back({std::string(entry.form), std::string(entry.summary), {entry.keys.begin(), entry.keys.end()}});
  }
  return items;
}

std::vector<Item> mixing_items() {
  std::vector<Item> items;
  for (const MixingEntry& entry : mixings()) {
    items.push_back({std::string(entry.name), std::string(entry.summary), {entry.keys.begin(), entry.keys.end()}});
  }
  return items;
}

std::vector<Item> outer_items() {
  std::vector<Item> items;
  for (const OuterEntry& entry : outer_optimisers()) {
    items.push_back({std::string(entry.name), std::string(entry.summary), {entry.keys.begin(), entry.keys.end()}});
  }
  return items;
}

std::vector<Item> transport_items() {
  std::vector<Item> items;
  for (const TransportEntry& entry : transports()) {
    items.push_back({std::string(entry.name), std::string(entry.summary), {entry.keys.begin(), entry.keys.end()}});
  }
  return items;
}

std::string instruction_sets() {
  std::string names;
  const auto supported = static_cast<std::uint64_t>(hwy::SupportedTargets());
  for (std::uint64_t bits = supported & static_cast<std::uint64_t>(HWY_TARGETS); bits != 0; bits &= bits - 1) {
    if (!names.empty()) names += ' ';
    names += hwy::TargetName(static_cast<std::int64_t>(bits & -bits));
  }
  return names;
}

/// What the transport uses on this machine between two ranks that do, or do not, share a host.
std::string devices_between(const TransportEntry& entry, bool same_host) {
  const Spec spec{std::string(entry.name), {}, {}};
  const Options options("transport " + spec.name, spec, entry.keys);
  const EndpointContext context{
      .rank = 0, .size = 2, .any_same_host = same_host, .any_other_host = !same_host, .interface = {}};
  const auto peer = entry.open(options, context);  // goes last: the endpoint may still be talking to it
  const auto endpoint = entry.open(options, context);
  endpoint->connect(1, peer->address(), same_host);
  std::string text = endpoint->describe();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// The same for both cases; the reason when the transport cannot be used here.
std::string devices_of(const TransportEntry& entry) {
  try {
    if (entry.same_process) return "threads of one process: memory only";
    return devices_between(entry, true) + "\n" + devices_between(entry, false);
  } catch (const std::exception& error) {
    return std::string("not usable here: ") + error.what();
  }
}

void print_indented(const std::string& text, const char* indent) {
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::printf("%s%s\n", indent, text.substr(begin, end - begin).c_str());
    begin = end + 1;
  }
}

void print_key(const Key& key, int width) {
  const std::string shown = std::string(key.name) + "=" + std::string(key.fallback);
  std::printf("    %-*s  %s\n", width, shown.c_str(), std::string(key.meaning).c_str());
}

void print_items(const char* title, const std::vector<Item>& items) {
  std::printf("\n%s\n", title);
  for (const Item& item : items) {
    std::printf("  %-20s %s\n", item.name.c_str(), item.summary.c_str());
    for (const Key& key : item.keys) print_key(key, 18);
  }
}

void print_text() {
  std::printf("gossamer %s\n", GOSSAMER_VERSION);
  std::printf("  compiler          %s\n  build type        %s\n", GOSSAMER_COMPILER, GOSSAMER_BUILD_TYPE);
  std::printf("  sanitizers        %s\n", *GOSSAMER_SANITIZERS != '\0' ? GOSSAMER_SANITIZERS : "none");
  std::printf("  instruction sets  %s (best first)\n", instruction_sets().c_str());
  std::printf("\nKeys are shown with their defaults.\n");
  print_items("Codecs (codec=NAME:key=value,...)", codec_items());
  print_items("Topologies (topology=NAME)", topology_items());
  print_items("Gossip methods (mixing=NAME)", mixing_items());
  print_items("Outer optimisers (outer=NAME)", outer_items());
  print_items("Transports (transport=NAME)", transport_items());
  std::printf("\nConfiguration (key=value ..., or GOSSAMER_<KEY> in the environment)\n");
  for (const Key& key : config_keys()) print_key(key, 18);
  std::printf("\nIn use on this machine\n");
  for (const TransportEntry& entry : transports()) {
    std::printf("  %s\n", std::string(entry.name).c_str());
    print_indented(devices_of(entry), "    ");
  }
}

void write_keys(JsonWriter& out, std::string_view name, std::span<const Key> keys) {
  out.open_array(name);
  for (const Key& key : keys) {
    out.open_object();
    out.text("key", key.name);
    out.text("default", key.fallback);
    out.text("meaning", key.meaning);
    out.close();
  }
  out.close();
}

void write_items(JsonWriter& out, std::string_view name, const std::vector<Item>& items) {
  out.open_array(name);
  for (const Item& item : items) {
    out.open_object();
    out.text("name", item.name);
    out.text("summary", item.summary);
    write_keys(out, "keys", item.keys);
    out.close();
  }
  out.close();
}

void print_json() {
  JsonWriter out;
  out.open_object();
  out.text("version", GOSSAMER_VERSION);
  out.text("compiler", GOSSAMER_COMPILER);
  out.text("build_type", GOSSAMER_BUILD_TYPE);
  out.text("sanitizers", GOSSAMER_SANITIZERS);
  out.text("instruction_sets", instruction_sets());
  write_items(out, "codecs", codec_items());
  write_items(out, "topologies", topology_items());
  write_items(out, "mixings", mixing_items());
  write_items(out, "outer_optimisers", outer_items());
  write_items(out, "transports", transport_items());
  write_keys(out, "configuration", config_keys());
  out.open_object("in_use");
  for (const TransportEntry& entry : transports()) out.text(entry.name, devices_of(entry));
  out.close();
  out.close();
  std::printf("%s\n", out.str().c_str());
}

/// What rank 0's communicator says of itself: where the topology chooses, why, and the links it measured.
int print_communicator(const InfoOptions& options) {
  const std::string transport = options.inproc > 0 ? " transport=inproc " : " ";
  const std::string config = "topology=" + options.topology + transport + options.config;
  const RankMain rank_main = [](goss_comm* owned) {
    Session session(owned);
    if (session.rank() == 0) std::printf("%s", session.describe().c_str());
    session.barrier();
    return 0;
  };
  if (options.inproc > 0) return run_threads(options.inproc, config, rank_main);
  if (options.ranks > 0) return run_children(options.ranks, config, rank_main);
  return run_from_environment(config, rank_main);
}

}  // namespace

int run_info(const InfoOptions& options) {
  if (!options.topology.empty()) return print_communicator(options);
  if (options.json) {
    print_json();
  } else {
    print_text();
  }
  return 0;
}

}  // namespace gossamer::tools
