#include "lib/reductions.hpp"

#include <algorithm>
#include <cmath>

namespace gossamer {
namespace {

constexpr std::uint32_t kStale = 32;  // calls: selecting again hides what unions would have been, so look now and then

AllReduce::Options options_of(const Way& way, Slots* slots) noexcept {
  return {.gathered = way.gathered, .slots = slots};
}

std::size_t most_slots(const std::vector<Leg>& legs, const std::vector<Way>& ways, const Shape& shape) {
  std::size_t most = 0;
  for (const Way& way : ways) {
    const auto& codec = dynamic_cast<const Codec&>(*way.codec);
    most = std::max(most, AllReduce::slot_bytes(legs, codec, shape, options_of(way, nullptr)));
  }
  return most;
}

}  // namespace

std::vector<Stage> stages_of(const std::vector<Leg>& legs) {
  std::vector<Stage> stages;
  for (const Leg& leg : legs) stages.push_back({leg.size, leg.direct});
  return stages;
}

Reductions::Reductions(Engine& engine, const std::vector<Leg>& legs, std::vector<Way> ways, const Shape& shape)
    : shape_(shape), stages_(stages_of(legs)), ways_(std::move(ways)), slots_(most_slots(legs, ways_, shape)) {
  for (const Way& way : ways_) {
    auto& codec = dynamic_cast<Codec&>(*way.codec);
    all_reduces_.push_back(std::make_unique<AllReduce>(engine, legs, codec, shape, options_of(way, &slots_)));
  }
  choose({});
}

void Reductions::choose(const Measured& all) {
  if (!chooses()) return;
  density_.reset();
  if (all.own > 0 && all.sum > 0) density_ = {static_cast<double>(all.own), static_cast<double>(all.sum)};
  // In whole bytes: what the mathematics of two hosts differ by must not make their ranks choose differently.
  for (Way& way : ways_) way.bytes = std::round(predicted_bytes(way, shape_, stages_, density_));
  const bool looks = all.age >= kStale || (all.age > 0 && !density_);
  const Way& best = cheapest(ways_);
  const Way& way = looks && !best.exact ? cheapest(ways_, true) : best;
  const auto taken = static_cast<std::size_t>(&way - ways_.data());
  if (taken != taken_) since_ = calls_ + 1;
  taken_ = taken;
}

Entries* Reductions::entries() noexcept {
  entries_ = {};
  return chooses() ? &entries_ : nullptr;
}

void Reductions::called() noexcept {
  ++calls_;
  if (!chooses()) return;
  ++measured_.age;
  if (!ways_[taken_].exact) return;
  const auto count = static_cast<float>(std::max<std::size_t>(shape_.count(), 1));
  measured_ = {static_cast<float>(entries_.own) / count, static_cast<float>(entries_.sum) / count, 0};
}

void Reductions::reset() {
  for (const Way& way : ways_) way.codec->reset();
  measured_ = {};
}

std::string Reductions::describe() const {
  if (!chooses()) return "";
  std::string text = sentence("takes ", ways_[taken_].name, " since call ", since_);
  if (density_) text += sentence(", by densities ", density_->own, " of a rank and ", density_->sum, " of the sum");
  text += "; bytes predicted:";
  for (const Way& way : ways_) {
    text += sentence(" ", way.name, " ", static_cast<std::uint64_t>(way.bytes), way.exact ? "" : " (counts double)");
  }
  return text;
}

}  // namespace gossamer
