#include "lib/apply.hpp"

#include <algorithm>
#include <vector>

#include "compress/codec.hpp"
#include "compress/kernels.hpp"
#include "lib/buffer.hpp"

namespace gossamer {
namespace {

Chunk chunk_of(std::vector<float>& values) {
  return {reinterpret_cast<std::byte*>(values.data()), values.size(), 0};
}

std::size_t apply(Codec& codec, const StepContext& context, std::vector<float>& values, std::span<float> out) {
  codec.begin(chunk_of(values), context);
  Buffer slot(codec.max_payload(values.size()));
  const Bytes payload = codec.encode(chunk_of(values), slot.bytes());
  std::fill(out.begin(), out.end(), 0.0F);
  codec.accumulate(payload, 1, {reinterpret_cast<std::byte*>(out.data()), out.size(), 0});
  return payload.size();
}

std::size_t apply(LinearCodec& codec, const StepContext& context, std::vector<float>& values, std::span<float> out) {
  codec.begin(chunk_of(values), context);
  if (Learner* learner = learner_of(codec)) {
    learner->learn(values);
    std::ranges::copy(values, out.begin());
    return values.size() * sizeof(float);
  }
  std::size_t bytes = 0;
  for (int round = 0; round < codec.rounds(); ++round) {
    if (!runs(codec, round)) continue;
    std::vector<float> vector(codec.round_count(round));
    codec.project(round, 0, vector);
    const Shape shape{DType::float32, {vector.size()}};
    const CodecChoice wire = make_codec(codec.wire(), shape);
    std::vector<float> received(vector.size());
    bytes += apply(dynamic_cast<Codec&>(*wire.codec), context, vector, received);
    codec.absorb(round, received);
  }
  codec.reconstruct(0, out);
  return bytes;
}

}  // namespace

std::size_t apply_codec(std::string_view spec, std::span<const float> in, std::span<float> out, const Shape& shape,
                        std::uint64_t seed) {
  const CodecChoice choice = make_codec(spec, shape);
  if (!kernels::all_finite(in)) fail(Status::numeric, "the input has NaN or Inf");
  std::vector<float> values(in.begin(), in.end());
  const StepContext context{{seed, 0, 0}, {seed, 0, 1}, 1};
  if (auto* linear = dynamic_cast<LinearCodec*>(choice.codec.get())) return apply(*linear, context, values, out);
  return apply(dynamic_cast<Codec&>(*choice.codec), context, values, out);
}

}  // namespace gossamer
