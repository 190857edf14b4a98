#include "compress/ways.hpp"

#include <algorithm>

namespace gossamer {
namespace {

/// Bytes of payloads and scales that a rank sends when all-reducing `count` elements.
class Traffic {
 public:
  Traffic(std::size_t count, int ranks) noexcept : count_(count), ranks_(ranks) {}

  [[nodiscard]] double gathered(const Codec& codec) const noexcept {
    const auto* merging = dynamic_cast<const MergeableCodec*>(&codec);
    const std::size_t bytes = merging != nullptr ? merging->typical_sum(count_, 1) : codec.typical_payload(count_);
    return (ranks_ - 1) * static_cast<double>(bytes);
  }
  /// Partial sums of 1, 2, … contributions on the way to the owner, the complete sum on the way back.
  [[nodiscard]] double merged(const MergeableCodec& codec) const noexcept {
    double shares = 0;
    for (int t = 1; t < ranks_; ++t) shares += static_cast<double>(codec.typical_sum(count_, t));
    const bool finished = dynamic_cast<const Finisher*>(&codec) != nullptr;
    const std::size_t result = finished ? codec.typical_payload(count_) : codec.typical_sum(count_, ranks_);
    return shares / ranks_ + steps() / 2 * static_cast<double>(result);
  }
  [[nodiscard]] double summed(std::size_t bytes) const noexcept { return steps() * static_cast<double>(bytes); }
  [[nodiscard]] double rounds(const LinearCodec& codec) const {
    double bytes = 0;
    for (int round = 0; round < codec.rounds(); ++round) {
      const Shape shape{DType::float32, {codec.round_count(round)}};
      const CodecChoice wire = make_codec(codec.wire(), shape);
      bytes += summed(dynamic_cast<Codec&>(*wire.codec).typical_payload(shape.count()));
    }
    return bytes;
  }

 private:
  /// Shares of a vector that a ring's rank sends: 2(n - 1)/n.
  [[nodiscard]] double steps() const noexcept { return 2.0 * (ranks_ - 1) / ranks_; }

  std::size_t count_;
  int ranks_;
};

double bytes_of(const CodecChoice& choice, const Shape& shape, int ranks) {
  const Traffic traffic(shape.count(), ranks);
  double bytes = 0;
  if (auto* scales = dynamic_cast<SharedMaxima*>(choice.codec.get()))
    bytes = traffic.summed(scales->maxima().size_bytes());
  if (const auto* linear = dynamic_cast<const LinearCodec*>(choice.codec.get())) return bytes + traffic.rounds(*linear);
  const auto& codec = dynamic_cast<const Codec&>(*choice.codec);
  if (choice.gathered) return bytes + traffic.gathered(codec);
  if (const auto* merging = dynamic_cast<const MergeableCodec*>(&codec)) return bytes + traffic.merged(*merging);
  return bytes + traffic.summed(codec.typical_payload(shape.count()));
}

bool is_exact(const CodecChoice& choice) noexcept {
  return choice.gathered || dynamic_cast<const MergeableCodec*>(choice.codec.get()) != nullptr ||
         dynamic_cast<const InPlaceCodec*>(choice.codec.get()) != nullptr ||
         dynamic_cast<const LinearCodec*>(choice.codec.get()) != nullptr;
}

const CodecEntry& entry_of(std::string_view name) {
  const auto place =
      std::find_if(codecs().begin(), codecs().end(), [&](const auto& each) { return each.name == name; });
  if (place == codecs().end()) fail(Status::internal, "no codec '", name, "'");
  return *place;
}

}  // namespace

bool can_be_gathered(TensorCodec& codec) noexcept {
  return dynamic_cast<Codec*>(&codec) != nullptr && dynamic_cast<InPlaceCodec*>(&codec) == nullptr &&
         dynamic_cast<Finisher*>(&codec) == nullptr;
}

std::vector<std::string_view> reductions(const CodecEntry& entry) {
  std::vector<std::string_view> names = {"steps"};
  for (const Alternative& each : entry.alternatives) {
    if (each.key == "reduce" && each.value != "steps") names.push_back(each.value);
  }
  names.insert(names.end(), {"allgather", "auto"});
  return names;
}

std::vector<Way> ways_of(std::string_view text, const Shape& shape, int ranks) {
  Spec spec = Spec::parse(text);
  std::vector<Way> ways;
  const auto add = [&](std::string_view name) {
    const CodecChoice choice = make_codec(spec.text(), shape, 0, ranks);
    ways.push_back({std::string(name), spec.text(), bytes_of(choice, shape, ranks), is_exact(choice)});
    return can_be_gathered(*choice.codec);
  };
  spec.values["reduce"] = "steps";
  bool gatherable = false;
  const std::span<const Alternative> alternatives = entry_of(spec.name).alternatives;
  if (alternatives.empty()) gatherable = add("in steps");
  for (const Alternative& each : alternatives) {
    const Spec common = spec;
    spec.values[std::string(each.key)] = each.value;
    gatherable = add(each.name) || gatherable;
    spec = common;
  }
  spec.values["reduce"] = "allgather";
  if (gatherable) add("all-gather");
  return ways;
}

double predicted_bytes(const CodecChoice& choice, const Shape& shape, int ranks) {
  return bytes_of(choice, shape, ranks);
}

const Way& cheapest(const std::vector<Way>& ways) {
  return *std::min_element(ways.begin(), ways.end(), [](const Way& a, const Way& b) { return a.cost() < b.cost(); });
}

}  // namespace gossamer
