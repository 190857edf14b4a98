#include "compress/integer_sum.hpp"

#include "compress/kernels.hpp"

namespace gossamer {

Bytes IntegerSum::encode(Chunk chunk, MutableBytes slot) {
  ByteWriter writer(slot);
  integer::put_header(writer, chunk.count, chunk.offset, 1, format_.single);
  put_tag(writer);
  // One unit for all has a place even where there are no values.
  if (format_.block == 0 && chunk.count == 0) writer.put(unit_of(chunk.offset, 0));
  integer::for_each_run(format_, chunk.offset, chunk.count,
                        [&](const integer::Run& run) { writer.put(unit_of(chunk.offset + run.first, run.count)); });
  integer::DigitWriter digits(format_, integer::digit_count(format_, chunk.offset, chunk.count), writer);
  integer::for_each_run(format_, chunk.offset, chunk.count, [&](const integer::Run& run) {
    const std::uint64_t offset = chunk.offset + run.first;
    encode_run({chunk.floats().subspan(run.first, run.count), offset, unit_of(offset, run.count)}, digits);
  });
  return digits.finish(slot);
}

void IntegerSum::accumulate(Bytes bytes, float scale, Chunk out) const {
  const integer::Payload payload = integer::Payload::parse(format_, bytes, out.count);
  const Bytes tag = payload.common.first(format_.tag_bytes);
  integer::SumReader sums(format_, payload);
  integer::for_each_run(format_, payload.offset, out.count, [&](const integer::Run& run) {
    add_run(sums, tag,
            {out.floats().subspan(run.first, run.count), payload.offset + run.first, payload.unit(run.unit), scale});
  });
}

void IntegerSum::put_tag(ByteWriter&) const {}

void IntegerSum::encode_run(Piece run, integer::DigitWriter& digits) const {
  while (!run.values.empty()) {
    const std::span<std::uint8_t> room = digits.next(run.values.size());
    quantise({run.values.first(room.size()), run.offset, run.unit}, room.data());
    digits.commit();
    run.values = run.values.subspan(room.size());
    run.offset += room.size();
  }
}

void IntegerSum::add_run(integer::SumReader& sums, Bytes, const Target& target) const {
  for (std::span<float> out = target.out; !out.empty();) {
    const std::span<const float> ready = sums.next(out.size());
    planes::add_multiples(ready, target.unit, target.scale, out.first(ready.size()));
    out = out.subspan(ready.size());
  }
}

namespace {

std::size_t block_count(const integer::Format& format, std::size_t count) noexcept {
  return format.block == 0 ? 1 : count / format.block + (count % format.block != 0 ? 1 : 0);
}

}  // namespace

SharedScaleSum::SharedScaleSum(std::string_view name, const integer::Format& format, std::size_t tensor_count)
    : IntegerSum(name, format), maxima_(block_count(format, tensor_count)) {}

void SharedScaleSum::begin(Chunk tensor, const StepContext& context) {
  own_ = context.own;
  if (tensor.count == 0) std::fill(maxima_.begin(), maxima_.end(), 0.0F);
  integer::for_each_run(format(), tensor.offset, tensor.count, [&](const integer::Run& run) {
    maxima_[run.unit] = magnitude(tensor.floats().subspan(run.first, run.count));
  });
}

}  // namespace gossamer
