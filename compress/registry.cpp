#include <array>

#include "compress/codec.hpp"
#include "compress/entries.hpp"

namespace gossamer {
namespace {

#define GOSSAMER_CALL(name) name##_entry(),
const std::array kCodecs = {GOSSAMER_CODECS(GOSSAMER_CALL)};
#undef GOSSAMER_CALL

const CodecEntry& find_entry(std::string_view name) {
  std::vector<std::string_view> known;
  for (const CodecEntry& entry : kCodecs) {
    if (entry.name == name) return entry;
    known.push_back(entry.name);
  }
  refuse_unknown("codec", name, known);
}

Options options_for(const CodecEntry& entry, const Spec& spec) {
  std::vector<Key> keys(entry.keys.begin(), entry.keys.end());
  keys.push_back({"ef", entry.error_feedback ? "on" : "off", "error feedback: on or off"});
  return Options("codec " + std::string(entry.name), spec, keys);
}

}  // namespace

std::span<const CodecEntry> codecs() noexcept {
  return kCodecs;
}

CodecChoice make_codec(std::string_view text, const Shape& shape, std::size_t min_compress) {
  const Spec spec = Spec::parse(text);
  const CodecEntry& entry = find_entry(spec.name);
  const Options options = options_for(entry, spec);
  const CodecEntry& identity = kCodecs.front();
  const bool uncompressed = shape.count() < min_compress || (entry.needs_matrix && shape.dims.size() < 2);
  if (uncompressed && &entry != &identity) {
    // The values are checked all the same, those of a matrix codec on an empty matrix: rank=0 is an error for every
    // tensor, a rank above the sides of a small one is not.
    static_cast<void>(entry.make(options, entry.needs_matrix ? Shape{shape.dtype, {0, 0}} : shape));
    return {identity.make(options_for(identity, Spec{"identity", {}, {}}), shape), false, "identity"};
  }
  return {entry.make(options, shape), options.flag("ef"), std::string(text)};
}

}  // namespace gossamer
