#include "compress/sparse_payload.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "compress/kernels.hpp"
#include "lib/base/dtype.hpp"

namespace gossamer {
namespace {

void put_header(ByteWriter& writer, std::size_t elements, std::size_t entries, ValueFormat values, std::uint8_t form) {
  if (elements > std::numeric_limits<std::uint32_t>::max()) {
    fail(Status::unsupported, "a sparse payload of ", elements, " elements; at most 2^32 - 1");
  }
  writer.put(static_cast<std::uint32_t>(elements));
  writer.put(static_cast<std::uint32_t>(entries));
  writer.put(static_cast<std::uint8_t>(values.coder));
  writer.put(form);
  writer.put(values.levels);
  writer.put(std::uint8_t{0});
}

/// Calls use(first, block) for the decoded values, one block at a time.
template <class Use>
void for_value_blocks(const SparsePayload& payload, const Use& use) {
  std::array<float, kValueBlock> memory;
  for (std::size_t at = 0; at < payload.entries; at += kValueBlock) {
    const std::span<float> block(memory.data(), std::min(kValueBlock, payload.entries - at));
    decode_values(payload.format, payload.values, at, block);
    use(at, block);
  }
}

Bytes write_scattered(const SparseVector& entries, std::size_t elements, ValueFormat format, MutableBytes slot) {
  ByteWriter writer(slot);
  put_header(writer, elements, elements, format, kDense);
  std::array<float, kValueBlock> block;
  std::size_t entry = 0;
  for (std::size_t at = 0; at < elements; at += kValueBlock) {
    const std::size_t stop = std::min(at + kValueBlock, elements);
    block.fill(0);
    for (; entry < entries.size() && entries.indices()[entry] < stop; ++entry) {
      block[entries.indices()[entry] - at] = entries.values()[entry];
    }
    encode_values(format, {block.data(), stop - at}, writer.take(value_bytes(format, stop - at)));
  }
  return writer.written();
}

void add_dense(const SparsePayload& payload, float scale, std::span<float> out) {
  const auto add = [&](std::size_t at, Bytes values) {
    kernels::add_scaled(DType::float32, std::as_writable_bytes(out).subspan(at * sizeof(float), values.size()), values,
                        static_cast<double>(scale));
  };
  if (payload.format.coder == ValueCoder::fp32) return add(0, payload.values);
  for_value_blocks(payload, [&](std::size_t at, std::span<const float> block) { add(at, std::as_bytes(block)); });
}

void add_entries(const SparsePayload& payload, float scale, std::span<float> out, SparseVector& scratch) {
  scratch.resize(payload.entries);
  decode_indices(payload.index_coder, payload.indices, payload.elements, scratch.indices());
  const auto indices = scratch.indices();
  for_value_blocks(payload, [&](std::size_t at, std::span<const float> block) {
    for (std::size_t i = 0; i < block.size(); ++i) out[indices[at + i]] += scale * block[i];
  });
}

ValueFormat checked_format(std::uint8_t coder, std::uint8_t levels) {
  const auto how = static_cast<ValueCoder>(coder);
  const bool has_levels = how == ValueCoder::levels;
  if (has_levels ? levels < 1 || levels > kMaxLevels : levels != 0) {
    fail(Status::corrupt, "sparse payload of value coder ", +coder, " has ", +levels, " levels; ",
         has_levels ? "1 to 127" : "0", " are possible");
  }
  return {how, levels};
}

}  // namespace

std::size_t max_sparse_payload(ValueFormat format, std::size_t elements) noexcept {
  return kSparseHeaderBytes + std::max(value_bytes(ValueCoder::fp32, elements), value_bytes(format, elements));
}

SparsePayload SparsePayload::parse(Bytes bytes, std::size_t elements) {
  ByteReader reader(bytes);
  SparsePayload payload;
  payload.elements = reader.get<std::uint32_t>();
  payload.entries = reader.get<std::uint32_t>();
  const auto values = reader.get<std::uint8_t>();
  const auto form = reader.get<std::uint8_t>();
  const auto levels = reader.get<std::uint8_t>();
  const auto zero = reader.get<std::uint8_t>();
  payload.dense = form == kDense;
  if (payload.elements != elements) {
    fail(Status::corrupt, "sparse payload is of ", payload.elements, " elements; expected ", elements);
  }
  if (payload.entries > elements || (payload.dense && payload.entries != elements)) {
    fail(Status::corrupt, payload.dense ? "dense" : "sparse", " payload of ", elements, " elements has ",
         payload.entries, " entries");
  }
  if (values >= kValueCoders || (!payload.dense && form >= kIndexCoders) || zero != 0) {
    fail(Status::corrupt, "sparse payload has value coder ", +values, ", index coder ", +form, ", padding ", zero,
         "; known: value coders below ", +kValueCoders, ", index coders below ", +kIndexCoders, " or ", +kDense,
         ", padding 0");
  }
  payload.format = checked_format(values, levels);
  payload.values = reader.take(value_bytes(payload.format, payload.entries));
  if (payload.dense) {
    reader.expect_end();
  } else {
    payload.index_coder = static_cast<IndexCoder>(form);
    payload.indices = reader.take(reader.remaining());
  }
  return payload;
}

Bytes write_sparse(const SparseVector& entries, std::size_t elements, const SparseCoders& coders, MutableBytes slot) {
  const IndexCoder coder = coders.indices.value_or(smallest_index_coder(entries.indices(), elements));
  const std::size_t for_indices = index_bytes(coder, entries.indices(), elements);
  const std::size_t for_values = value_bytes(coders.values, entries.size());
  if (coders.values.packed() && entries.size() == elements) return write_dense(entries.values(), coders.values, slot);
  const ValueFormat dense = coders.values.packed() ? ValueFormat() : coders.values;
  if (value_bytes(dense, elements) <= for_values + for_indices) return write_scattered(entries, elements, dense, slot);
  ByteWriter writer(slot);
  put_header(writer, elements, entries.size(), coders.values, static_cast<std::uint8_t>(coder));
  encode_values(coders.values, entries.values(), writer.take(for_values));
  encode_indices(coder, entries.indices(), elements, writer.take(for_indices));
  return writer.written();
}

Bytes write_dense(std::span<const float> values, ValueFormat format, MutableBytes slot) {
  ByteWriter writer(slot);
  put_header(writer, values.size(), values.size(), format, kDense);
  encode_values(format, values, writer.take(value_bytes(format, values.size())));
  return writer.written();
}

void read_entries(const SparsePayload& payload, SparseVector& entries) {
  entries.resize(payload.entries);
  decode_indices(payload.index_coder, payload.indices, payload.elements, entries.indices());
  decode_values(payload.format, payload.values, 0, entries.values());
}

void accumulate_payload(const SparsePayload& payload, float scale, std::span<float> out, SparseVector& scratch) {
  if (payload.dense) return add_dense(payload, scale, out);
  add_entries(payload, scale, out, scratch);
}

Bytes merge_payloads(const SparsePayload& a, const SparsePayload& b, std::optional<IndexCoder> indices,
                     MergeScratch& scratch, MutableBytes slot) {
  if (!a.dense && !b.dense) {
    read_entries(a, scratch.a);
    read_entries(b, scratch.b);
    add_sparse(scratch.a, scratch.b, scratch.sum);
    return write_sparse(scratch.sum, a.elements, {ValueCoder::fp32, indices}, slot);
  }
  const SparsePayload& dense = a.dense ? a : b;
  const SparsePayload& other = a.dense ? b : a;
  ByteWriter writer(slot);
  put_header(writer, dense.elements, dense.elements, ValueCoder::fp32, kDense);
  const MutableBytes place = writer.take(value_bytes(ValueCoder::fp32, dense.elements));
  // Slots are aligned to 4 bytes, of which the header is a multiple.
  const std::span<float> sum(reinterpret_cast<float*>(place.data()), dense.elements);
  decode_values(dense.format, dense.values, 0, sum);
  accumulate_payload(other, 1, sum, scratch.b);
  return writer.written();
}

}  // namespace gossamer
