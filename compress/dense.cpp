#include "compress/dense.hpp"

#include <limits>

namespace gossamer {

Bytes DenseCodec::encode(Chunk chunk, MutableBytes slot) {
  ByteWriter writer(slot);
  writer.put(std::uint64_t{chunk.count});
  encode_body(chunk, writer);
  return writer.written();
}

void DenseCodec::accumulate(Bytes payload, float scale, Chunk out) const {
  ByteReader reader(payload);
  const auto count = reader.get<std::uint64_t>();
  if (count != out.count) {
    fail(Status::corrupt, label(), " payload is of ", count, " values; ", out.count, " were expected");
  }
  add_body(reader, scale, out);
  reader.expect_end();
}

std::size_t BlockCodec::block_for(std::size_t count) const noexcept {
  constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();
  return block_ != 0 ? block_ : std::clamp<std::size_t>(count, 1, kMost);
}

std::size_t BlockCodec::all_floats(std::size_t count, std::size_t block) const noexcept {
  return (count / block + (count % block != 0 ? 1 : 0)) * floats_ * sizeof(float);
}

std::size_t BlockCodec::all_codes(std::size_t count, std::size_t block) const noexcept {
  return count / block * code_bytes(block) + code_bytes(count % block);
}

std::size_t BlockCodec::body_bytes(std::size_t count) const noexcept {
  const std::size_t block = block_for(count);
  return sizeof(std::uint32_t) + all_floats(count, block) + all_codes(count, block);
}

void BlockCodec::encode_body(Chunk chunk, ByteWriter& body) {
  const std::size_t block = block_for(chunk.count);
  body.put(static_cast<std::uint32_t>(block));
  const MutableBytes floats = body.take(all_floats(chunk.count, block));
  encode_blocks(chunk, {block, floats, body.take(all_codes(chunk.count, block))});
}

void BlockCodec::add_body(ByteReader& body, float scale, Chunk out) const {
  const std::size_t block = body.get<std::uint32_t>();
  if (block == 0) fail(Status::corrupt, label(), " payload has blocks of 0 values");
  const Bytes floats = body.take(all_floats(out.count, block));
  check_floats(floats);
  add_blocks({block, floats, body.take(all_codes(out.count, block))}, scale, out.floats());
}

void BlockCodec::check_floats(Bytes floats) const {
  ByteReader reader(floats);
  for (std::size_t index = 0; reader.remaining() != 0; index = (index + 1) % floats_) {
    const auto value = reader.get<float>();
    if (!possible(value, index)) fail(Status::corrupt, label(), " payload has a block scale of ", value);
  }
}

}  // namespace gossamer
