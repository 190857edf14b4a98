#include "tools/codecs_bench.hpp"

#include <algorithm>

#include "lib/buffer.hpp"

namespace gossamer::tools {
namespace {

constexpr std::size_t kSegment = 256 * 1024;  // elements that a hop of the library works on at a time, about

Chunk slice(Chunk whole, std::size_t offset, std::size_t count) {
  return {whole.data + offset * sizeof(float), count, whole.offset + offset};
}

Chunk chunk_of(std::span<float> values) {
  return {reinterpret_cast<std::byte*>(values.data()), values.size(), 0};
}

/// Segment after segment, the payloads side by side in memory.
class SegmentBench final : public CodecBench {
 public:
  SegmentBench(Codec& codec, std::size_t count) : CodecBench(codec), codec_(codec) {
    const auto* grained = dynamic_cast<const Grained*>(&codec);
    const std::size_t grain = grained != nullptr ? std::max<std::size_t>(grained->grain(), 1) : 1;
    const std::size_t length = std::max<std::size_t>(kSegment / grain, 1) * grain;
    const bool in_place = dynamic_cast<const InPlaceCodec*>(&codec) != nullptr;
    std::size_t bytes = 0;
    for (std::size_t at = 0; at < count; at += length) {
      const std::size_t elements = std::min(length, count - at);
      segments_.push_back({at, elements, bytes, in_place ? 0 : codec.max_payload(elements), {}});
      bytes += (segments_.back().slot_bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
    }
    slots_.resize(bytes);
  }

  void begin(Chunk tensor, const StepContext& context) override {
    tensor_ = tensor;
    codec_.begin(tensor, context);
  }
  void encode() override {
    for (Segment& each : segments_) {
      each.payload =
          codec_.encode(slice(tensor_, each.offset, each.count), slots_.bytes().subspan(each.slot, each.slot_bytes));
    }
  }
  [[nodiscard]] std::size_t payload_bytes() const noexcept override {
    std::size_t bytes = 0;
    for (const Segment& each : segments_) bytes += each.payload.size();
    return bytes;
  }
  void decode(std::span<float> out) override {
    for (const Segment& each : segments_) {
      codec_.accumulate(each.payload, 1, slice(chunk_of(out), each.offset, each.count));
    }
  }

 private:
  struct Segment {
    std::size_t offset, count;
    std::size_t slot, slot_bytes;  ///< where its payload has room
    Bytes payload;
  };
  Codec& codec_;
  std::vector<Segment> segments_;
  Buffer slots_;
  Chunk tensor_;
};

/// Encoding is everything until the last vector is complete, decoding is what follows. The sum is over this rank alone.
class LinearBench final : public CodecBench {
 public:
  explicit LinearBench(LinearCodec& codec) : CodecBench(codec), codec_(codec) {
    for (int round = 0; round < codec.rounds(); ++round) {
      const std::size_t count = codec.round_count(round);
      rounds_.push_back({round,
                         std::vector<float>(count),
                         std::vector<float>(count),
                         make_codec(codec.wire(), Shape{DType::float32, {count}}).codec,
                         {}});
      rounds_.back().slot.resize(wire_of(rounds_.back()).max_payload(count));
    }
  }

  void begin(Chunk tensor, const StepContext& context) override {
    codec_.begin(tensor, context);
    // What teaches a codec is an exchange of the tensor as it is, not an encode.
    if (Learner* learner = learner_of(codec_)) {
      learner->learn(tensor.floats());
      codec_.begin(tensor, context);
    }
    if (learner_of(codec_) != nullptr) {
      fail(Status::argument, codec_.name(), " exchanges every tensor as it is under these options");
    }
  }
  void encode() override {
    payload_bytes_ = 0;
    last_ = nullptr;
    for (Round& round : rounds_) {
      if (!runs(codec_, round.number)) continue;
      absorb_last();
      codec_.project(round.number, 0, round.vector);
      travel(round);
      last_ = &round;
    }
  }
  [[nodiscard]] std::size_t payload_bytes() const noexcept override { return payload_bytes_; }
  void decode(std::span<float> out) override {
    absorb_last();
    for (std::size_t start = 0; start < out.size(); start += kSegment) {
      codec_.reconstruct(start, out.subspan(start, std::min(kSegment, out.size() - start)));
    }
  }

 private:
  struct Round {
    int number;
    std::vector<float> vector, received;
    std::unique_ptr<TensorCodec> wire;
    Buffer slot;
  };
  static Codec& wire_of(Round& round) { return dynamic_cast<Codec&>(*round.wire); }

  void absorb_last() {
    if (last_ != nullptr) codec_.absorb(last_->number, last_->received);
  }

  void travel(Round& round) {
    std::fill(round.received.begin(), round.received.end(), 0.0F);
    const Bytes payload = wire_of(round).encode(chunk_of(round.vector), round.slot.bytes());
    wire_of(round).accumulate(payload, 1, chunk_of(round.received));
    payload_bytes_ += payload.size();
  }

  LinearCodec& codec_;
  std::vector<Round> rounds_;
  Round* last_ = nullptr;  ///< the round that is not absorbed yet
  std::size_t payload_bytes_ = 0;
};

}  // namespace

void CodecBench::condition(Chunk tensor, const StepContext& context) {
  if (auto* conditioner = dynamic_cast<Conditioner*>(&codec_)) conditioner->condition(tensor, context);
}

std::unique_ptr<CodecBench> make_bench(TensorCodec& codec, std::size_t count) {
  if (auto* linear = dynamic_cast<LinearCodec*>(&codec)) return std::make_unique<LinearBench>(*linear);
  return std::make_unique<SegmentBench>(dynamic_cast<Codec&>(codec), count);
}

}  // namespace gossamer::tools
