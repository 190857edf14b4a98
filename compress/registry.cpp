#include <algorithm>
#include <array>

#include "compress/codec.hpp"
#include "compress/entries.hpp"
#include "compress/ways.hpp"

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

constexpr Key kReduce = {
    "reduce", "steps",
    "steps: sums are formed in every step; allgather: every rank's payload goes to every rank; auto: whichever sends "
    "less"};

Options options_for(const CodecEntry& entry, const Spec& spec) {
  return Options("codec " + std::string(entry.name), spec, keys_of(entry));
}

/// The value of reduce=, checked.
std::string reduction_of(const CodecEntry& entry, const Options& options) {
  const std::string value = options.text("reduce");
  const std::vector<std::string_view> known = reductions(entry);
  if (std::find(known.begin(), known.end(), value) == known.end()) {
    fail(Status::argument, "codec ", entry.name, ": reduce=", value, " is not valid; reduce is one of ", join(known));
  }
  return value;
}

}  // namespace

std::span<const CodecEntry> codecs() noexcept {
  return kCodecs;
}

std::vector<Key> keys_of(const CodecEntry& entry) {
  std::vector<Key> keys(entry.keys.begin(), entry.keys.end());
  keys.push_back({"ef", entry.error_feedback ? "on" : "off", "error feedback: on or off"});
  const auto declared = [](const Key& key) { return key.name == kReduce.name; };
  if (std::none_of(keys.begin(), keys.end(), declared)) keys.push_back(kReduce);
  return keys;
}

CodecChoice make_codec(std::string_view text, const Shape& shape, std::size_t min_compress) {
  const Spec spec = Spec::parse(text);
  const CodecEntry& entry = find_entry(spec.name);
  const Options options = options_for(entry, spec);
  const std::string reduce = reduction_of(entry, options);
  const CodecEntry& identity = kCodecs.front();
  const bool uncompressed = shape.count() < min_compress || (entry.needs_matrix && shape.dims.size() < 2);
  if (uncompressed && &entry != &identity) {
    // The values are checked all the same, those of a matrix codec on an empty matrix: rank=0 is an error for every
    // tensor, a rank above the sides of a small one is not.
    static_cast<void>(entry.make(options, entry.needs_matrix ? Shape{shape.dtype, {0, 0}} : shape));
    return {identity.make(options_for(identity, Spec{"identity", {}, {}}), shape), false, false, "identity"};
  }
  const bool gathered = reduce == "allgather";
  CodecChoice choice{entry.make(options, shape), options.flag("ef"), gathered, std::string(text), reduce == "auto"};
  if (gathered && !can_be_gathered(*choice.codec)) {
    fail(Status::argument, "codec ", entry.name, ": reduce=allgather is not valid; its sums are formed in steps only");
  }
  return choice;
}

}  // namespace gossamer
