#include "lib/tensor.hpp"

#include <algorithm>
#include <cmath>

#include "compress/kernels.hpp"
#include "compress/maximum.hpp"
#include "lib/rounds.hpp"

namespace gossamer {
namespace {

constexpr Turn kMaximaTurn{1};                            // the tensor's own all-reduce is round 0
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
  const auto ranks = static_cast<std::size_t>(world_.size);
  records_.resize(ranks * kIntentBytes);
  if (maxima_ != nullptr) {
    maximum_ = make_maximum();
    const Shape scales{DType::float32, {maxima_->maxima().size()}};
    share_maxima_ = std::make_unique<AllReduce>(world_.engine, world_.legs, *maximum_, scales, kMaximaTurn);
  }
  const bool lossy = in_place_ == nullptr;
  const Shape floats{DType::float32, shape_.dims};
  if (lossy && choice.error_feedback) residual_.resize(shape_.count());
  if (lossy && shape_.dtype != DType::float32) staged_.resize(shape_.count());
  if (stepwise_ != nullptr) {
    all_reduce_ = std::make_unique<AllReduce>(world_.engine, world_.legs, *stepwise_, lossy ? floats : shape_);
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

void Tensor::copy_residual(std::span<float> out) const {
  if (residual_.empty()) {
    std::fill(out.begin(), out.end(), 0.0F);
  } else {
    std::copy(residual_.begin(), residual_.end(), out.begin());
  }
}

double Tensor::residual_norm() const noexcept {
  return std::sqrt(kernels::sum_of_squares(residual_));
}

std::uint64_t Tensor::fingerprint() const noexcept {
  std::uint64_t hash = fnv1a(name().data(), name().size());
  hash = fnv1a(spec_.data(), spec_.size(), hash);
  hash = fnv1a(codec_->name().data(), codec_->name().size(), hash);
  hash = fnv1a(reinterpret_cast<const char*>(&shape_.dtype), sizeof shape_.dtype, hash);
  return fnv1a(reinterpret_cast<const char*>(shape_.dims.data()), shape_.dims.size() * sizeof(std::size_t), hash);
}

std::size_t Tensor::saved_bytes() const noexcept {
  return 6 * sizeof(std::uint64_t) + (residual_.size() + codec_->state().size()) * sizeof(float);
}

void Tensor::save(MutableBytes out) const {
  const std::span<float> state = codec_->state();
  ByteWriter writer(out);
  writer.put(kMagic);
  writer.put(fingerprint());
  writer.put(calls_);
  writer.put<std::uint64_t>(residual_.size());
  writer.put<std::uint64_t>(state.size());
  writer.put_bytes(std::as_bytes(std::span(residual_)));
  writer.put_bytes(std::as_bytes(state));
  writer.put(checksum(writer.written()));
}

void Tensor::load(Bytes in) {
  const std::span<float> state = codec_->state();
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
  if (residual_count != residual_.size() || state_count != state.size() || in.size() != saved_bytes() ||
      ByteReader(in.last(sizeof(std::uint64_t))).get<std::uint64_t>() !=
          checksum(in.first(in.size() - sizeof(std::uint64_t)))) {
    fail(Status::corrupt, "the saved state of '", name(), "' is not whole: ", in.size(), " bytes, expected ",
         saved_bytes(), " with a matching checksum");
  }
  const Bytes residual = reader.take(residual_.size() * sizeof(float));
  const Bytes warm = reader.take(state.size() * sizeof(float));
  calls_ = calls;
  if (!residual.empty()) std::memcpy(residual_.data(), residual.data(), residual.size());
  if (!warm.empty()) std::memcpy(state.data(), warm.data(), warm.size());
}

void Tensor::reset() {
  std::fill(residual_.begin(), residual_.end(), 0.0F);
  codec_->reset();
  calls_ = 0;
}

}  // namespace gossamer
