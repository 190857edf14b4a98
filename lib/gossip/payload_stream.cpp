#include "lib/gossip/payload_stream.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kTypicalMessage = 64 * 1024;
constexpr std::size_t kLargestMessage = 512 * 1024;
constexpr std::size_t kSmallestRun = 4096;  // elements

Chunk chunk_of(std::span<float> values, std::size_t offset) {
  return {reinterpret_cast<std::byte*>(values.data()), values.size(), offset};
}

/// A Codec's payloads, one for each run of elements.
class RunStream final : public PayloadStream {
 public:
  RunStream(std::unique_ptr<Codec> codec, std::size_t count) : codec_(std::move(codec)), count_(count) {
    const auto* grained = dynamic_cast<const Grained*>(codec_.get());
    const std::size_t grain = grained == nullptr ? 1 : grained->grain();
    run_ = std::max(grain, kSmallestRun / grain * grain);
    while (2 * run_ <= count && codec_->typical_payload(2 * run_) <= kTypicalMessage &&
           codec_->max_payload(2 * run_) <= kLargestMessage) {
      run_ *= 2;
    }
  }

  [[nodiscard]] std::size_t messages() const noexcept override {
    return std::max<std::size_t>(1, (count_ + run_ - 1) / run_);
  }
  [[nodiscard]] std::size_t first(std::size_t message) const noexcept override { return message * run_; }
  [[nodiscard]] std::size_t count(std::size_t message) const noexcept override {
    return std::min(run_, count_ - message * run_);
  }
  [[nodiscard]] std::size_t capacity() const noexcept override { return codec_->max_payload(std::min(run_, count_)); }
  [[nodiscard]] bool learns() const noexcept override { return false; }

  void begin(std::span<float> values, const StepContext& context) override {
    values_ = values;
    codec_->begin(chunk_of(values, 0), context);
  }
  Bytes encode(std::size_t message, MutableBytes slot) override {
    first_ = first(message);
    payload_ = codec_->encode(chunk_of(values_.subspan(first_, count(message)), first_), slot);
    if (payload_.data() != slot.data()) {
      std::ranges::copy(payload_, slot.begin());  // an InPlaceCodec's is in the vector, which is about to change
      payload_ = slot.first(payload_.size());
    }
    return payload_;
  }
  void expect(std::span<float>, const StepContext&) override {}
  void open(std::size_t message, Bytes payload) override {
    first_ = first(message);
    payload_ = payload;
  }
  void add(float scale, std::span<float> out) override { codec_->accumulate(payload_, scale, chunk_of(out, first_)); }
  [[nodiscard]] std::span<float> state() noexcept override { return codec_->state(); }

 private:
  std::unique_ptr<Codec> codec_;
  std::size_t count_;
  std::size_t run_;
  std::span<float> values_;
  std::size_t first_ = 0;
  Bytes payload_;
};

/// A LinearCodec's vectors, all in one message: small against what they stand for. "Sums" are those of one rank.
class VectorStream final : public PayloadStream {
 public:
  VectorStream(std::unique_ptr<LinearCodec> codec, std::size_t count)
      : codec_(std::move(codec)), learner_(dynamic_cast<Learner*>(codec_.get())), count_(count) {
    for (int round = 0; round < codec_->rounds(); ++round) {
      const Shape shape{DType::float32, {codec_->round_count(round)}};
      CodecChoice choice = make_codec(codec_->wire(), shape);
      vectors_.push_back(
          {std::vector<float>(shape.count()), std::unique_ptr<Codec>(dynamic_cast<Codec*>(choice.codec.release()))});
      capacity_ += sizeof(std::uint64_t) + vectors_.back().wire->max_payload(shape.count());
    }
    if (learner_ != nullptr) capacity_ = std::max(capacity_, count_ * sizeof(float));
  }

  [[nodiscard]] std::size_t messages() const noexcept override { return 1; }
  [[nodiscard]] std::size_t first(std::size_t) const noexcept override { return 0; }
  [[nodiscard]] std::size_t count(std::size_t) const noexcept override { return count_; }
  [[nodiscard]] std::size_t capacity() const noexcept override { return capacity_; }
  [[nodiscard]] bool learns() const noexcept override { return true; }

  void begin(std::span<float> values, const StepContext& context) override {
    values_ = values;
    codec_->begin(chunk_of(values, 0), context);
    dense_ = learner_ != nullptr && learner_->dense();
  }
  Bytes encode(std::size_t, MutableBytes slot) override {
    ByteWriter writer(slot);
    if (dense_) {
      writer.put_bytes(std::as_bytes(values_));
      learn(writer.written());
      return writer.written();
    }
    for (int round = 0; round < codec_->rounds(); ++round) {
      if (!runs(*codec_, round)) continue;
      Vector& vector = vectors_[static_cast<std::size_t>(round)];
      codec_->project(round, 0, vector.values);
      const Chunk chunk = chunk_of(vector.values, 0);
      vector.wire->begin(chunk, {});
      const MutableBytes length = writer.take(sizeof(std::uint64_t));
      const Bytes payload = vector.wire->encode(chunk, writer.room());
      const std::uint64_t bytes = payload.size();
      std::memcpy(length.data(), &bytes, sizeof bytes);
      const MutableBytes place = writer.take(payload.size());
      if (payload.data() != place.data()) std::ranges::copy(payload, place.begin());
      absorb(round, vector, place);
    }
    return writer.written();
  }

  void expect(std::span<float> any, const StepContext& context) override { begin(any, context); }
  void open(std::size_t, Bytes payload) override {
    if (dense_) return learn(payload);
    ByteReader reader(payload);
    for (int round = 0; round < codec_->rounds(); ++round) {
      if (!runs(*codec_, round)) continue;
      const auto bytes = reader.get<std::uint64_t>();
      absorb(round, vectors_[static_cast<std::size_t>(round)], reader.take(bytes));
    }
    reader.expect_end();
  }
  void add(float scale, std::span<float> out) override {
    if (dense_) {
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += scale * learnt_[i];
      return;
    }
    std::array<float, 4096> block;
    for (std::size_t at = 0; at < out.size(); at += block.size()) {
      const std::span<float> part = std::span(block).first(std::min(block.size(), out.size() - at));
      codec_->reconstruct(at, part);
      for (std::size_t i = 0; i < part.size(); ++i) out[at + i] += scale * part[i];
    }
  }
  [[nodiscard]] std::span<float> state() noexcept override { return codec_->state(); }

 private:
  struct Vector {
    std::vector<float> values;
    std::unique_ptr<Codec> wire;
  };

  /// From the payload at both ends, so that a wire that rounds rounds for both.
  void absorb(int round, Vector& vector, Bytes payload) {
    std::ranges::fill(vector.values, 0.0F);
    vector.wire->accumulate(payload, 1, chunk_of(vector.values, 0));
    codec_->absorb(round, vector.values);
  }
  void learn(Bytes payload) {
    if (payload.size() != count_ * sizeof(float)) {
      fail(Status::corrupt, codec_->name(), ": a tensor of ", count_, " values arrived as ", payload.size(), " bytes");
    }
    learnt_.resize(count_);
    std::memcpy(learnt_.data(), payload.data(), payload.size());
    learner_->learn(learnt_);
  }

  std::unique_ptr<LinearCodec> codec_;
  Learner* learner_;  // the codec, if it is one
  std::size_t count_;
  std::size_t capacity_ = 0;
  std::vector<Vector> vectors_;
  std::span<float> values_;
  std::vector<float> learnt_;
  bool dense_ = false;
};

}  // namespace

std::unique_ptr<PayloadStream> make_payload_stream(std::string_view spec, const Shape& shape) {
  const Shape floats{DType::float32, shape.dims};
  std::unique_ptr<TensorCodec> codec = make_codec(spec, floats).codec;
  if (auto* linear = dynamic_cast<LinearCodec*>(codec.get())) {
    static_cast<void>(codec.release());
    return std::make_unique<VectorStream>(std::unique_ptr<LinearCodec>(linear), floats.count());
  }
  auto* stepwise = dynamic_cast<Codec*>(codec.release());
  return std::make_unique<RunStream>(std::unique_ptr<Codec>(stepwise), floats.count());
}

}  // namespace gossamer
