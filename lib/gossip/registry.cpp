#include <algorithm>
#include <array>
#include <vector>

#include "lib/base/error.hpp"
#include "lib/gossip/entries.hpp"

namespace gossamer {

std::span<const MixingEntry> mixings() noexcept {
#define GOSSAMER_ENTRY(name) name##_mixing(),
  static const std::array kEntries = {GOSSAMER_MIXINGS(GOSSAMER_ENTRY)};
#undef GOSSAMER_ENTRY
  return kEntries;
}

namespace {

const MixingEntry& entry_of(const Spec& spec) {
  const auto place = std::ranges::find(mixings(), spec.name, &MixingEntry::name);
  if (place != mixings().end()) return *place;
  std::vector<std::string_view> known;
  for (const MixingEntry& entry : mixings()) known.push_back(entry.name);
  refuse_unknown("mixing", spec.name, known);
}

}  // namespace

const MixingEntry& find_mixing(std::string_view text) {
  const Spec spec = Spec::parse(text);
  const MixingEntry& entry = entry_of(spec);
  static_cast<void>(Options("mixing " + spec.name, spec, entry.keys));
  return entry;
}

std::unique_ptr<Mixer> make_mixer(std::string_view text, const MixingSetup& setup) {
  const Spec spec = Spec::parse(text);
  const MixingEntry& entry = entry_of(spec);
  return entry.make(Options("mixing " + spec.name, spec, entry.keys), setup);
}

}  // namespace gossamer
