#include "compress/signed_counts.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "compress/bit_stream.hpp"

namespace gossamer {
namespace {

unsigned sparse_width(std::uint32_t contributions) noexcept {
  return static_cast<unsigned>(std::bit_width(2 * contributions - 1));
}

unsigned dense_width(std::uint32_t contributions) noexcept {
  return static_cast<unsigned>(std::bit_width(2 * contributions));
}

std::size_t code_bytes(std::size_t codes, unsigned width) noexcept {
  return codes / 8 * width + (codes % 8 * width + 7) / 8;
}

void put_sparse_codes(const SparseVector& counts, std::uint32_t contributions, MutableBytes out) {
  const unsigned width = sparse_width(contributions);
  const auto middle = static_cast<std::int32_t>(contributions);
  BitWriter bits(out);
  for (const float value : counts.values()) {
    const auto count = static_cast<std::int32_t>(value);
    bits.put(static_cast<std::uint32_t>(count + middle - (count > 0 ? 1 : 0)), width);
  }
  bits.finish();
}

void put_dense_codes(const SparseVector& counts, std::size_t elements, std::uint32_t contributions, MutableBytes out) {
  const unsigned width = dense_width(contributions);
  BitWriter bits(out);
  std::size_t entry = 0;
  for (std::size_t i = 0; i < elements; ++i) {
    const bool here = entry < counts.size() && counts.indices()[entry] == i;
    const std::int32_t count = here ? static_cast<std::int32_t>(counts.values()[entry++]) : 0;
    bits.put(static_cast<std::uint32_t>(count + static_cast<std::int32_t>(contributions)), width);
  }
  bits.finish();
}

/// Hands the codes, in order, to use(position, code). Throws `corrupt` for one that is not below `codes`.
template <class Use>
void for_codes(const CountsPayload& payload, std::uint32_t codes, unsigned width, const Use& use) {
  BitReader bits(payload.codes);
  for (std::size_t i = 0; i < payload.entries; ++i) {
    const auto code = static_cast<std::uint32_t>(bits.peek() & ((std::uint64_t{1} << width) - 1));
    bits.skip(width);
    if (code >= codes) {
      fail(Status::corrupt, "payload of counts has code ", code, "; valid for ", payload.units.contributions,
           " contributions: below ", codes);
    }
    use(i, static_cast<std::int32_t>(code) - static_cast<std::int32_t>(payload.units.contributions));
  }
}

void check_unit(float unit, std::uint32_t contributions) {
  const float largest = unit * static_cast<float>(contributions);
  if (!std::isfinite(largest) || std::signbit(unit)) {
    fail(Status::corrupt, "payload of counts has a unit of ", unit, " for ", contributions, " contributions");
  }
}

}  // namespace

std::size_t max_counts_payload(std::size_t elements) noexcept {
  return kCountsHeaderBytes + code_bytes(elements, dense_width(kMaxContributions));
}

Bytes write_counts(const SparseVector& counts, std::size_t elements, const CountUnits& units,
                   std::optional<IndexCoder> indices, MutableBytes slot) {
  if (elements > std::numeric_limits<std::uint32_t>::max()) {
    fail(Status::unsupported, "a payload of counts for ", elements, " elements; at most 2^32 - 1");
  }
  const IndexCoder coder = indices.value_or(smallest_index_coder(counts.indices(), elements));
  const std::size_t for_indices = index_bytes(coder, counts.indices(), elements);
  const std::size_t sparse = code_bytes(counts.size(), sparse_width(units.contributions));
  const std::size_t whole = code_bytes(elements, dense_width(units.contributions));
  const bool dense = whole <= sparse + for_indices;
  ByteWriter writer(slot);
  writer.put(static_cast<std::uint32_t>(elements));
  writer.put(static_cast<std::uint32_t>(dense ? elements : counts.size()));
  writer.put(units.contributions);
  writer.put(units.up);
  writer.put(units.down);
  writer.put(static_cast<std::uint32_t>(dense ? kDenseCounts : static_cast<std::uint8_t>(coder)));
  if (dense) {
    put_dense_codes(counts, elements, units.contributions, writer.take(whole));
  } else {
    put_sparse_codes(counts, units.contributions, writer.take(sparse));
    encode_indices(coder, counts.indices(), elements, writer.take(for_indices));
  }
  return writer.written();
}

CountsPayload CountsPayload::parse(Bytes bytes, std::size_t elements) {
  ByteReader reader(bytes);
  CountsPayload payload;
  payload.elements = reader.get<std::uint32_t>();
  payload.entries = reader.get<std::uint32_t>();
  payload.units.contributions = reader.get<std::uint32_t>();
  payload.units.up = reader.get<float>();
  payload.units.down = reader.get<float>();
  const auto form = reader.get<std::uint32_t>();
  payload.dense = form == kDenseCounts;
  if (payload.elements != elements) {
    fail(Status::corrupt, "payload of counts is of ", payload.elements, " elements; expected ", elements);
  }
  if (payload.entries > elements || (payload.dense && payload.entries != elements)) {
    fail(Status::corrupt, "payload of counts for ", elements, " elements has ", payload.entries, " entries");
  }
  if (payload.units.contributions < 1 || payload.units.contributions > kMaxContributions) {
    fail(Status::corrupt, "payload of counts has ", payload.units.contributions, " contributions; 1 to ",
         kMaxContributions, " are possible");
  }
  if (!payload.dense && form >= kIndexCoders) {
    fail(Status::corrupt, "payload of counts has index coder ", form, "; known: below ", +kIndexCoders, ", or ",
         +kDenseCounts);
  }
  check_unit(payload.units.up, payload.units.contributions);
  check_unit(payload.units.down, payload.units.contributions);
  const std::uint32_t t = payload.units.contributions;
  payload.codes = reader.take(code_bytes(payload.entries, payload.dense ? dense_width(t) : sparse_width(t)));
  if (payload.dense) {
    reader.expect_end();
  } else {
    payload.index_coder = static_cast<IndexCoder>(form);
    payload.indices = reader.take(reader.remaining());
  }
  return payload;
}

void read_counts(const CountsPayload& payload, SparseVector& counts) {
  const std::uint32_t t = payload.units.contributions;
  counts.resize(payload.entries);
  if (!payload.dense) {
    decode_indices(payload.index_coder, payload.indices, payload.elements, counts.indices());
    for_codes(payload, 2 * t, sparse_width(t), [&](std::size_t i, std::int32_t code) {
      counts.values()[i] = static_cast<float>(code + (code >= 0 ? 1 : 0));
    });
    return;
  }
  std::size_t size = 0;
  for_codes(payload, 2 * t + 1, dense_width(t), [&](std::size_t i, std::int32_t count) {
    counts.indices()[size] = static_cast<std::uint32_t>(i);
    counts.values()[size] = static_cast<float>(count);
    size += count != 0 ? 1 : 0;
  });
  counts.resize(size);
}

void accumulate_counts(const CountsPayload& payload, float scale, std::span<float> out, SparseVector& scratch) {
  read_counts(payload, scratch);
  for (std::size_t i = 0; i < scratch.size(); ++i) {
    out[scratch.indices()[i]] += scale * payload.units.value(scratch.values()[i]);
  }
}

}  // namespace gossamer
