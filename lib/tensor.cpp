#include "lib/tensor.hpp"

#include <algorithm>
#include <cmath>

#include "compress/kernels.hpp"
#include "compress/maximum.hpp"
#include "lib/gossip.hpp"
#include "lib/gossip/mailbox.hpp"
#include "lib/gossip/pairwise.hpp"
#include "lib/intent.hpp"
#include "lib/model_group.hpp"
#include "lib/rounds.hpp"

namespace gossamer {
namespace {

constexpr int kMaximaRound = 1;  // the tensor's own all-reduce is round 0

/// That push-sum without rounds goes with the configuration.
void expect_mailbox(const MixingEntry& entry, const World& world) {
  expect_stochastic("goss_push", Stochastic::columns, world.topology);
  if (entry.needs == Stochastic::columns) {
    fail(Status::unsupported, "mixing=", entry.name,
         " has weights of its own; goss_push and goss_pull go with another mixing=");
  }
  if (world.gossip.staleness && world.topology.period() > 1) {
    fail(Status::argument, "staleness=", *world.gossip.staleness, " needs a graph that stays; ", world.topology.spec(),
         " changes for ", world.topology.period(), " rounds before it repeats");
  }
}

}  // namespace

void TensorTotals::add(const Call& call, std::size_t tensor_bytes) noexcept {
  calls += 1;
  dense_bytes += tensor_bytes;
  traffic.sent += call.traffic.sent;
  traffic.received += call.traffic.received;
  time.total += call.time.total;
  time.encode += call.time.encode;
  time.reduce += call.time.reduce;
  time.decode += call.time.decode;
}

void TensorTotals::add(const TensorTotals& other) noexcept {
  calls += other.calls;
  dense_bytes += other.dense_bytes;
  traffic.sent += other.traffic.sent;
  traffic.received += other.traffic.received;
  time.total += other.time.total;
  time.encode += other.time.encode;
  time.reduce += other.time.reduce;
  time.decode += other.time.decode;
}

Tensor::Tensor(const World& world, std::string name, Shape shape, CodecChoice choice)
    : world_(world), shape_(std::move(shape)), spec_(choice.spec), call_(world.engine, std::move(name)) {
  std::vector<Way> ways = ways_to_take(choice, shape_, stages_of(world_.legs));
  codec_ = ways.front().codec;
  in_place_ = dynamic_cast<InPlaceCodec*>(codec_.get());
  linear_ = dynamic_cast<LinearCodec*>(codec_.get());
  maxima_ = dynamic_cast<SharedMaxima*>(codec_.get());
  conditioner_ = dynamic_cast<Conditioner*>(codec_.get());
  if (linear_ != nullptr && linear_->wire() == "identity") own_part_ = dynamic_cast<OwnContribution*>(linear_);
  if (maxima_ != nullptr) {
    maximum_ = make_maximum();
    const Shape scales{DType::float32, {maxima_->maxima().size()}};
    share_maxima_ =
        std::make_unique<AllReduce>(world_.engine, world_.legs, *maximum_, scales, AllReduce::Options{kMaximaRound});
  }
  const bool lossy = in_place_ == nullptr;
  const Shape floats{DType::float32, shape_.dims};
  if (lossy && choice.error_feedback) residual_.resize(shape_.count());
  if (lossy && shape_.dtype != DType::float32) staged_.resize(shape_.count());
  if (linear_ != nullptr) {
    rounds_ = std::make_unique<Rounds>(world_.engine, world_.legs, *linear_, floats);
  } else {
    reductions_ = std::make_unique<Reductions>(world_.engine, world_.legs, std::move(ways), lossy ? floats : shape_);
  }
  const std::size_t record = sizeof(Intent) + (chooses() ? sizeof(Measured) : 0);
  records_.resize(static_cast<std::size_t>(world_.size) * record);
}

Tensor::~Tensor() = default;

std::uint32_t Tensor::id_of(std::string_view name) noexcept {
  const std::uint64_t hash = fnv1a(name.data(), name.size());
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

StepContext Tensor::context(std::uint64_t number, float input_scale) const noexcept {
  const std::uint64_t seed =
      fnv1a(reinterpret_cast<const char*>(&world_.seed), sizeof world_.seed, fnv1a(name().data(), name().size()));
  const auto call = static_cast<std::uint32_t>(number);
  return {{seed, call, 0}, {seed, call, static_cast<std::uint32_t>(world_.rank) + 1}, world_.size, input_scale};
}

std::size_t Tensor::memory_bytes() const noexcept {
  std::size_t bytes = residual_.size() * sizeof(float) + staged_.size() * sizeof(float);
  if (reductions_) bytes += reductions_->memory_bytes();
  if (share_maxima_) bytes += share_maxima_->held_bytes();
  if (rounds_) bytes += rounds_->memory_bytes();
  if (gossip_) bytes += gossip_->memory_bytes();
  if (mailbox_) bytes += mailbox_->memory_bytes();
  return bytes;
}

void Tensor::prepare_mailbox() {
  if (mailbox_) return;
  if (!exact()) {
    fail(Status::unsupported, "'", name(), "' has codec ", spec_,
         "; goss_push and goss_pull take uncompressed tensors: register it with codec identity");
  }
  const std::uint64_t number = 2 * (generation_ % 31);  // of 64 call numbers; rounds are told apart by their phase
  const Tag there = Tag::of_call(id_of(name()), number);
  const Tag back = Tag::of_call(id_of(name()), number + 1);
  const MixingEntry& entry = find_mixing(world_.gossip.mixing);
  if (entry.pairwise) {
    check_graph(entry, world_.topology);
    if (world_.gossip.staleness) {
      fail(Status::unsupported, "staleness=", *world_.gossip.staleness, " is of push-sum; mixing=", entry.name,
           " has no need of it: nobody is asked for more than one exchange at a time");
    }
    const RandomStream draws{context(0, 1).own.seed, 0, static_cast<std::uint32_t>(world_.rank) + 1};
    mailbox_ = std::make_unique<Pairwise>(world_.engine, world_.topology, Pairwise::Rules{there, back, draws}, shape_);
  } else {
    expect_mailbox(entry, world_);
    mailbox_ = std::make_unique<Mailbox>(world_.engine, world_.topology, world_.rank,
                                         Mailbox::Rules{there, back, world_.gossip.staleness}, shape_);
  }
}

std::string Tensor::describe() const {
  std::string text = chooses() ? reductions_->describe() : "";
  const auto add = [&](const std::string& more) {
    if (!more.empty()) text += (text.empty() ? "" : ", ") + more;
  };
  if (gossip_ && gossip_->negotiator != nullptr) {
    add(sentence("mixing=", world_.gossip.mixing, ", ", gossip_->negotiator->describe()));
  }
  for (const Casualty& casualty : world_.engine.deaths()) add(describe_missing(casualty.rank));
  return text;
}

double Tensor::weight() const noexcept {
  const Weighted* it = weighted();
  return it != nullptr ? it->weight() : 1;
}

void Tensor::prepare_gossip() {
  if (gossip_) return;
  const MixingEntry& entry = find_mixing(world_.gossip.mixing);
  if (entry.pairwise) {
    fail(Status::unsupported, "mixing=", entry.name, " has no rounds for goss_mix: call goss_push and goss_pull");
  }
  check_graph(entry, world_.topology);
  if (membership_.group != nullptr) {
    fail(Status::unsupported, "'", name(), "' is part of a model (granularity=model), which goss_mix does not take");
  }
  if (in_place_ == nullptr && !entry.compresses) {
    std::vector<std::string_view> others;
    for (const MixingEntry& each : mixings()) {
      if (each.compresses) others.push_back(each.name);
    }
    fail(Status::unsupported, "'", name(), "' has codec ", spec_, ", and mixing=", world_.gossip.mixing,
         " takes uncompressed tensors: register it with codec identity, or choose mixing= ", gossamer::join(others));
  }
  auto gossip = std::make_unique<Gossip>(world_, name(), shape_, spec_);
  if (world_.survives && gossip->negotiator != nullptr && gossip->negotiator->proposal()) {
    fail(Status::argument, "mixing=", world_.gossip.mixing,
         " has all ranks agree on a step size, which they cannot once "
         "one has died: under on_failure=continue give it as a number, as in ",
         entry.name, ":", entry.keys.front().name, "=0.3");
  }
  gossip_ = std::move(gossip);
}

void Tensor::join(const Membership& membership, std::string_view codec_spec) {
  membership_ = membership;
  spec_ = codec_spec;
}

void Tensor::take_second_moments(std::span<const float> moments) {
  auto* taker = dynamic_cast<TakesSecondMoments*>(codec_.get());
  if (taker == nullptr) {
    fail(Status::unsupported, "'", name(), "' has codec ", spec_,
         membership_.group != nullptr ? " as part of a model" : "", ", which takes no second moments");
  }
  taker->second_moments(moments);
}

}  // namespace gossamer
