#include "compress/ways.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gossamer {
namespace {

/// Bytes of payloads and scales that a rank sends when all-reducing `count` elements.
class Traffic {
 public:
  Traffic(std::size_t count, std::span<const Stage> stages, const std::optional<Density>& measured) noexcept
      : count_(count), stages_(stages), measured_(measured) {
    for (const Stage& stage : stages_) ranks_ *= stage.ranks;
  }

  [[nodiscard]] double gathered(const Codec& codec) const noexcept {
    return static_cast<double>(ranks_ - 1) * payload(codec, 1);
  }
  /// Partial sums on the way to the owner, the complete sum on the way back.
  [[nodiscard]] double merged(const MergeableCodec& codec) const noexcept {
    double bytes = 0;
    double share = 1;  // of the tensor, that is still reduced here
    std::size_t contributions = 1;
    for (const Stage& stage : stages_) {
      share /= static_cast<double>(stage.ranks);
      for (std::size_t t = 1; t < stage.ranks; ++t) {
        bytes += share * payload(codec, contributions * (stage.direct ? 1 : t));
      }
      contributions *= stage.ranks;
    }
    const bool finished = dynamic_cast<const Finisher*>(&codec) != nullptr;
    const double result = finished ? static_cast<double>(codec.typical_payload(count_)) : payload(codec, ranks_);
    return bytes + steps() / 2 * result;
  }
  [[nodiscard]] double encoded_again(const Codec& codec) const noexcept { return steps() * payload(codec, 1); }
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
  /// Of a sum of so many contributions.
  [[nodiscard]] double payload(const Codec& codec, std::size_t contributions) const noexcept {
    const auto* sparse = measured_ ? dynamic_cast<const Sparse*>(&codec) : nullptr;
    const auto* merging = dynamic_cast<const MergeableCodec*>(&codec);
    std::size_t bytes = 0;
    if (sparse != nullptr) {
      const double density = measured_->of(contributions, ranks_);
      bytes = contributions == 1 ? sparse->typical_own(count_, density) : sparse->typical_union(count_, density);
    } else {
      bytes = merging != nullptr ? merging->typical_sum(count_, static_cast<int>(contributions))
                                 : codec.typical_payload(count_);
    }
    return static_cast<double>(bytes);
  }
  /// Shares of a vector that a ring's rank sends: 2(n - 1)/n.
  [[nodiscard]] double steps() const noexcept {
    return 2.0 * static_cast<double>(ranks_ - 1) / static_cast<double>(ranks_);
  }

  std::size_t count_;
  std::span<const Stage> stages_;
  std::size_t ranks_ = 1;
  const std::optional<Density>& measured_;
};

bool is_exact(const CodecChoice& choice) noexcept {
  return choice.gathered || dynamic_cast<const MergeableCodec*>(choice.codec.get()) != nullptr ||
         dynamic_cast<const InPlaceCodec*>(choice.codec.get()) != nullptr ||
         dynamic_cast<const LinearCodec*>(choice.codec.get()) != nullptr;
}

Way way_of(std::string_view name, CodecChoice choice) {
  const bool exact = is_exact(choice);
  return {std::string(name), std::move(choice.spec), std::move(choice.codec), choice.gathered, exact};
}

const CodecEntry& entry_of(std::string_view name) {
  const auto place =
      std::find_if(codecs().begin(), codecs().end(), [&](const auto& each) { return each.name == name; });
  if (place == codecs().end()) fail(Status::internal, "no codec '", name, "'");
  return *place;
}

}  // namespace

double Density::of(std::size_t contributions, std::size_t ranks) const noexcept {
  if (contributions <= 1 || own >= 1) return own;
  // What a contribution leaves free, each further one fills by the same factor, so that all together leave 1 - sum.
  const double left = std::clamp((1 - sum) / (1 - own), 0.0, 1.0);
  const double filled = static_cast<double>(contributions - 1) / static_cast<double>(ranks - 1);
  return std::min(1 - (1 - own) * std::pow(left, filled), own * static_cast<double>(contributions));
}

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

double predicted_bytes(const Way& way, const Shape& shape, std::span<const Stage> stages,
                       const std::optional<Density>& measured) {
  const Traffic traffic(shape.count(), stages, measured);
  double bytes = 0;
  if (auto* scales = dynamic_cast<SharedMaxima*>(way.codec.get()))
    bytes = traffic.summed(scales->maxima().size_bytes());
  if (const auto* linear = dynamic_cast<const LinearCodec*>(way.codec.get())) return bytes + traffic.rounds(*linear);
  const auto& codec = dynamic_cast<const Codec&>(*way.codec);
  if (way.gathered) return bytes + traffic.gathered(codec);
  if (const auto* merging = dynamic_cast<const MergeableCodec*>(&codec)) return bytes + traffic.merged(*merging);
  return bytes + traffic.encoded_again(codec);
}

std::vector<Way> ways_of(std::string_view text, const Shape& shape, std::span<const Stage> stages) {
  Spec spec = Spec::parse(text);
  spec.values["reduce"] = "steps";
  std::vector<Way> ways;
  const std::span<const Alternative> alternatives = entry_of(spec.name).alternatives;
  if (alternatives.empty()) ways.push_back(way_of("in steps", make_codec(spec.text(), shape)));
  for (const Alternative& each : alternatives) {
    Spec one = spec;
    one.values[std::string(each.key)] = each.value;
    ways.push_back(way_of(each.name, make_codec(one.text(), shape)));
  }
  const auto gatherable =
      std::find_if(ways.begin(), ways.end(), [](const Way& each) { return can_be_gathered(*each.codec); });
  if (gatherable != ways.end()) {
    Spec gathered = Spec::parse(gatherable->spec);
    gathered.values["reduce"] = "allgather";
    ways.push_back({"all-gather", gathered.text(), gatherable->codec, true, true});
  }
  for (Way& way : ways) way.bytes = predicted_bytes(way, shape, stages);
  return ways;
}

const Way& cheapest(std::span<const Way> ways, bool exact) {
  const auto cost = [&](const Way& way) {
    return exact && !way.exact ? std::numeric_limits<double>::infinity() : way.cost();
  };
  return *std::min_element(ways.begin(), ways.end(), [&](const Way& a, const Way& b) { return cost(a) < cost(b); });
}

std::vector<Way> ways_to_take(CodecChoice& choice, const Shape& shape, std::span<const Stage> stages) {
  std::vector<Way> ways;
  if (!choice.automatic) {
    ways.push_back(way_of("the only one", std::move(choice)));
    ways.front().bytes = predicted_bytes(ways.front(), shape, stages);
    return ways;
  }
  ways = ways_of(choice.spec, shape, stages);
  const auto measurable = [](const Way& way) { return dynamic_cast<const Sparse*>(way.codec.get()) != nullptr; };
  if (!std::all_of(ways.begin(), ways.end(), measurable)) ways = {Way(cheapest(ways))};
  return ways;
}

}  // namespace gossamer
