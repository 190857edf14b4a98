#include "lib/tensor.hpp"

#include <algorithm>
#include <cmath>

#include "compress/kernels.hpp"
#include "compress/maximum.hpp"
#include "lib/gossip.hpp"
#include "lib/gossip/mailbox.hpp"
#include "lib/model_group.hpp"
#include "lib/rounds.hpp"

namespace gossamer {
namespace {

constexpr int kMaximaRound = 1;  // the tensor's own all-reduce is round 0

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
    : world_(world),
      shape_(std::move(shape)),
      spec_(std::move(choice.spec)),
      codec_(std::move(choice.codec)),
      in_place_(dynamic_cast<InPlaceCodec*>(codec_.get())),
      stepwise_(dynamic_cast<Codec*>(codec_.get())),
      linear_(dynamic_cast<LinearCodec*>(codec_.get())),
      maxima_(dynamic_cast<SharedMaxima*>(codec_.get())),
      conditioner_(dynamic_cast<Conditioner*>(codec_.get())),
      call_(world.engine, std::move(name)) {
  if (linear_ != nullptr && linear_->wire() == "identity") own_part_ = dynamic_cast<OwnContribution*>(linear_);
  const auto ranks = static_cast<std::size_t>(world_.size);
  records_.resize(ranks * kIntentBytes);
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
  if (stepwise_ != nullptr) {
    all_reduce_ = std::make_unique<AllReduce>(world_.engine, world_.legs, *stepwise_, lossy ? floats : shape_,
                                              AllReduce::Options{.gathered = choice.gathered});
  } else {
    rounds_ = std::make_unique<Rounds>(world_.engine, world_.legs, *linear_, floats);
  }
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
  if (all_reduce_) bytes += all_reduce_->slot_bytes();
  if (share_maxima_) bytes += share_maxima_->slot_bytes();
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
  expect_stochastic("goss_push", Stochastic::columns, world_.topology);
  if (find_mixing(world_.gossip.mixing).needs == Stochastic::columns) {
    fail(Status::unsupported, "mixing=", world_.gossip.mixing,
         " has weights of its own; goss_push and goss_pull go with another mixing=");
  }
  const std::uint64_t number = 2 * (generation_ % 31);  // of 64 call numbers; rounds are told apart by their phase
  const Mailbox::Tags tags{Tag::of_call(id_of(name()), number), Tag::of_call(id_of(name()), number + 1)};
  mailbox_ = std::make_unique<Mailbox>(world_.engine, world_.topology, world_.rank, tags, shape_);
}

std::string Tensor::describe_gossip() const {
  std::string text;
  if (gossip_ && gossip_->negotiator != nullptr) {
    text = sentence("mixing=", world_.gossip.mixing, ", ", gossip_->negotiator->describe());
  }
  for (const Casualty& casualty : world_.engine.deaths()) {
    const std::string missing = describe_missing(casualty.rank);
    if (!missing.empty()) text += (text.empty() ? "" : ", ") + missing;
  }
  return text;
}

double Tensor::weight() const noexcept {
  if (mailbox_) return mailbox_->account().weight;
  const Weighted* weighted = weighted_mixer();
  return weighted != nullptr ? weighted->weight() : 1;
}

void Tensor::prepare_gossip() {
  if (gossip_) return;
  const MixingEntry& entry = find_mixing(world_.gossip.mixing);
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
  auto gossip = std::make_unique<Gossip>(world_, shape_, spec_);
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
