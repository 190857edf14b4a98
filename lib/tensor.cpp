#include "lib/tensor.hpp"

#include <algorithm>
#include <cmath>

#include "compress/kernels.hpp"
#include "compress/maximum.hpp"
#include "lib/model_group.hpp"
#include "lib/rounds.hpp"

namespace gossamer {
namespace {

constexpr int kMaximaRound = 1;                           // the tensor's own all-reduce is round 0
constexpr std::uint64_t kMagic = 0x31525354'53534f47ULL;  // "GOSSTSR1"

std::uint64_t hash_of(Bytes bytes) noexcept {
  return fnv1a(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// FNV-1a over words: fast enough for a residual, sharp enough for a cut file.
std::uint64_t checksum(Bytes bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    hash = (hash ^ word) * 0x100000001b3ULL;
    hash ^= hash >> 29;
  }
  return hash ^ hash_of(bytes.subspan(i));
}

std::unique_ptr<InPlaceCodec> exact_codec(const Shape& shape) {
  std::unique_ptr<TensorCodec> codec = make_codec("identity", shape).codec;
  return std::unique_ptr<InPlaceCodec>(dynamic_cast<InPlaceCodec*>(codec.release()));
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
    : world_(world),
      shape_(std::move(shape)),
      spec_(std::move(choice.spec)),
      codec_(std::move(choice.codec)),
      in_place_(dynamic_cast<InPlaceCodec*>(codec_.get())),
      stepwise_(dynamic_cast<Codec*>(codec_.get())),
      linear_(dynamic_cast<LinearCodec*>(codec_.get())),
      maxima_(dynamic_cast<SharedMaxima*>(codec_.get())),
      conditioner_(dynamic_cast<Conditioner*>(codec_.get())),
      exact_(exact_codec(shape_)),
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

StepContext Tensor::context(float input_scale) const noexcept {
  const std::uint64_t seed =
      fnv1a(reinterpret_cast<const char*>(&world_.seed), sizeof world_.seed, fnv1a(name().data(), name().size()));
  const auto call = static_cast<std::uint32_t>(calls_);
  return {{seed, call, 0}, {seed, call, static_cast<std::uint32_t>(world_.rank) + 1}, world_.size, input_scale};
}

std::size_t Tensor::memory_bytes() const noexcept {
  std::size_t bytes = residual_.size() * sizeof(float) + staged_.size() * sizeof(float);
  if (all_reduce_) bytes += all_reduce_->slot_bytes();
  if (share_maxima_) bytes += share_maxima_->slot_bytes();
  if (rounds_) bytes += rounds_->memory_bytes();
  return bytes;
}

// ---- State that outlives calls
// ----------------------------------------------------------------------------------------

void Tensor::join(const Membership& membership, std::string_view codec_spec) {
  membership_ = membership;
  spec_ = codec_spec;
}

Tensor::Kept Tensor::kept() {
  if (membership_.group == nullptr) return {residual_, codec_->state(), calls_, *codec_, true};
  Tensor& whole = membership_.group->whole();
  const ModelGroup::Member& member = *membership_.member;
  const bool leads = membership_.group->leads(member);
  const std::span<float> residual(whole.residual_);
  return {residual.empty() ? residual : residual.subspan(member.offset, member.shape.count()),
          leads ? whole.codec_->state() : std::span<float>(), whole.calls_, *whole.codec_, leads};
}

/// Looking at a residual does not seal the group: before its first call there is none.
std::span<const float> Tensor::residual_of_now() {
  if (membership_.group != nullptr && !membership_.group->sealed()) return {};
  return kept().residual;
}

void Tensor::copy_residual(std::span<float> out) {
  const std::span<const float> residual = residual_of_now();
  if (residual.empty()) {
    std::fill(out.begin(), out.end(), 0.0F);
  } else {
    std::copy(residual.begin(), residual.end(), out.begin());
  }
}

double Tensor::residual_norm() {
  return std::sqrt(kernels::sum_of_squares(residual_of_now()));
}

std::uint64_t Tensor::fingerprint() {
  const std::string_view layout = kept().codec.name();
  std::uint64_t hash = fnv1a(name().data(), name().size());
  hash = fnv1a(spec_.data(), spec_.size(), hash);
  hash = fnv1a(layout.data(), layout.size(), hash);
  hash = fnv1a(reinterpret_cast<const char*>(&shape_.dtype), sizeof shape_.dtype, hash);
  return fnv1a(reinterpret_cast<const char*>(shape_.dims.data()), shape_.dims.size() * sizeof(std::size_t), hash);
}

std::size_t Tensor::saved_bytes() {
  const Kept mine = kept();
  return 6 * sizeof(std::uint64_t) + (mine.residual.size() + mine.state.size()) * sizeof(float);
}

void Tensor::save(MutableBytes out) {
  const Kept mine = kept();
  ByteWriter writer(out);
  writer.put(kMagic);
  writer.put(fingerprint());
  writer.put(mine.calls);
  writer.put<std::uint64_t>(mine.residual.size());
  writer.put<std::uint64_t>(mine.state.size());
  writer.put_bytes(std::as_bytes(mine.residual));
  writer.put_bytes(std::as_bytes(mine.state));
  writer.put(checksum(writer.written()));
}

void Tensor::load(Bytes in) {
  const Kept mine = kept();
  ByteReader reader(in);
  if (in.size() < 6 * sizeof(std::uint64_t) || reader.get<std::uint64_t>() != kMagic) {
    fail(Status::corrupt, in.size(), " bytes are not the saved state of a tensor");
  }
  if (reader.get<std::uint64_t>() != fingerprint()) {
    fail(Status::mismatch, "the saved state belongs to a tensor of another name, type, shape or codec than '", name(),
         "' with ", spec_);
  }
  const auto calls = reader.get<std::uint64_t>();
  const auto residual_count = reader.get<std::uint64_t>();
  const auto state_count = reader.get<std::uint64_t>();
  if (residual_count != mine.residual.size() || state_count != mine.state.size() || in.size() != saved_bytes() ||
      ByteReader(in.last(sizeof(std::uint64_t))).get<std::uint64_t>() !=
          checksum(in.first(in.size() - sizeof(std::uint64_t)))) {
    fail(Status::corrupt, "the saved state of '", name(), "' is not whole: ", in.size(), " bytes, expected ",
         saved_bytes(), " with a matching checksum");
  }
  const Bytes residual = reader.take(mine.residual.size_bytes());
  const Bytes warm = reader.take(mine.state.size_bytes());
  mine.calls = calls;
  if (!residual.empty()) std::memcpy(mine.residual.data(), residual.data(), residual.size());
  if (!warm.empty()) std::memcpy(mine.state.data(), warm.data(), warm.size());
}

void Tensor::take_second_moments(std::span<const float> moments) {
  auto* taker = dynamic_cast<TakesSecondMoments*>(codec_.get());
  if (taker == nullptr) {
    fail(Status::unsupported, "'", name(), "' has codec ", spec_,
         membership_.group != nullptr ? " as part of a model" : "", ", which takes no second moments");
  }
  taker->second_moments(moments);
}

void Tensor::reset() {
  const Kept mine = kept();
  std::fill(mine.residual.begin(), mine.residual.end(), 0.0F);
  mine.calls = 0;
  if (mine.resets_codec) mine.codec.reset();
}

}  // namespace gossamer
