#include "compress/indices.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "compress/bit_stream.hpp"

namespace gossamer {
namespace {

using Indices = std::span<const std::uint32_t>;

constexpr unsigned kMaxGolombBits = 31;

unsigned bits_per_index(std::size_t elements) noexcept {
  return elements < 2 ? 0 : static_cast<unsigned>(std::bit_width(elements - 1));
}

constexpr std::size_t bytes_of_bits(std::size_t bits) noexcept {
  return (bits + 7) / 8;
}

[[noreturn]] void refuse_index(std::uint64_t index, std::size_t elements) {
  fail(Status::corrupt, "payload has index ", index, "; indices ascend and are below ", elements);
}

void expect_size(Bytes in, std::size_t bytes) {
  if (in.size() != bytes) fail(Status::corrupt, "payload has ", in.size(), " bytes of indices; it needs ", bytes);
}

void expect_ascending(Indices indices, std::size_t elements) {
  bool ascending = true;
  for (std::size_t i = 1; i < indices.size(); ++i) ascending &= indices[i - 1] < indices[i];
  if (!indices.empty() && (!ascending || indices.back() >= elements)) refuse_index(indices.back(), elements);
}

std::size_t golomb_size(Indices indices, unsigned bits) noexcept {
  if (indices.empty()) return 0;
  std::size_t quotients = indices.front() >> bits;
  for (std::size_t i = 1; i < indices.size(); ++i) quotients += (indices[i] - indices[i - 1] - 1) >> bits;
  return 1 + bytes_of_bits(quotients + indices.size() * (1 + bits));
}

void encode_bitpack(Indices indices, std::size_t elements, MutableBytes out) {
  const unsigned width = bits_per_index(elements);
  BitWriter writer(out);
  for (const std::uint32_t index : indices) writer.put(index, width);
  writer.finish();
}

void decode_bitpack(Bytes in, std::size_t elements, std::span<std::uint32_t> indices) {
  const unsigned width = bits_per_index(elements);
  expect_size(in, bytes_of_bits(width * indices.size()));
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  BitReader reader(in);
  for (std::uint32_t& index : indices) {
    index = static_cast<std::uint32_t>(reader.peek() & mask);
    reader.skip(width);
  }
  expect_ascending(indices, elements);
}

void encode_golomb(Indices indices, std::size_t elements, MutableBytes out) {
  if (indices.empty()) return;
  const unsigned bits = golomb_bits(indices.size(), elements);
  out[0] = static_cast<std::byte>(bits);
  BitWriter writer(out.subspan(1));
  std::uint32_t next = 0;
  for (const std::uint32_t index : indices) {
    const std::uint32_t gap = index - next;
    std::uint32_t quotient = gap >> bits;
    const std::uint64_t remainder = gap & ((std::uint32_t{1} << bits) - 1);
    for (; quotient + 1 + bits > 32 && quotient > 0; quotient -= std::min(quotient, 32U)) {
      writer.put(0, std::min(quotient, 32U));
    }
    writer.put(std::uint64_t{1} << quotient | remainder << (quotient + 1), quotient + 1 + bits);
    next = index + 1;
  }
  writer.finish();
}

/// The zeros before the next one, which is skipped too. Throws `corrupt` at the end or beyond `limit`.
std::uint64_t read_unary(BitReader& reader, std::uint64_t limit) {
  std::uint64_t zeros = 0;
  while (true) {
    const std::uint64_t word = reader.peek();
    const unsigned here = word == 0 ? BitReader::kPeekBits : static_cast<unsigned>(std::countr_zero(word));
    zeros += here;
    if (zeros > limit || reader.overran()) fail(Status::corrupt, "payload has a gap between indices that is too large");
    reader.skip(here + (word != 0));
    if (word != 0) return zeros;
  }
}

struct GolombState {
  BitReader reader;
  unsigned bits = 0;
  std::uint64_t next = 0;  ///< the first index that may follow
  std::size_t elements = 0;

  std::uint32_t accept(std::uint64_t gap) {
    const std::uint64_t index = next + gap;
    if (index >= elements) refuse_index(index, elements);
    next = index + 1;
    return static_cast<std::uint32_t>(index);
  }
};

std::uint32_t decode_one(GolombState& state) {
  const std::uint64_t quotient = read_unary(state.reader, state.elements >> state.bits);
  const std::uint64_t remainder = state.reader.peek() & ((std::uint64_t{1} << state.bits) - 1);
  state.reader.skip(state.bits);
  return state.accept(quotient << state.bits | remainder);
}

/// Decodes kGroup codes from one look at memory, which is what a code has to wait for most. False, and nothing done,
/// when they are too long for that.
template <std::size_t kGroup>
bool decode_group(GolombState& state, std::uint32_t* indices) {
  std::uint64_t gaps[kGroup];
  std::uint64_t word = state.reader.peek();
  unsigned used = 0;
  for (std::uint64_t& gap : gaps) {
    const auto quotient = static_cast<unsigned>(std::countr_zero(word | std::uint64_t{1} << 63));
    word = word >> quotient >> 1;
    gap = std::uint64_t{quotient} << state.bits | (word & ((std::uint64_t{1} << state.bits) - 1));
    word >>= state.bits;
    used += quotient + 1 + state.bits;
  }
  if (used > BitReader::kPeekBits) return false;
  state.reader.skip(used);
  for (std::size_t i = 0; i < kGroup; ++i) indices[i] = state.accept(gaps[i]);
  return true;
}

template <std::size_t kGroup>
void decode_gaps(GolombState& state, std::span<std::uint32_t> indices) {
  std::size_t i = 0;
  while (i + kGroup <= indices.size()) {
    if (!decode_group<kGroup>(state, &indices[i])) {
      for (std::size_t j = 0; j < kGroup; ++j) indices[i + j] = decode_one(state);
    }
    i += kGroup;
  }
  for (; i < indices.size(); ++i) indices[i] = decode_one(state);
  state.reader.expect_end();
}

void decode_golomb(Bytes in, std::size_t elements, std::span<std::uint32_t> indices) {
  if (indices.empty()) return expect_size(in, 0);
  if (in.empty()) expect_size(in, 1);
  const auto bits = static_cast<unsigned>(in[0]);
  if (bits > kMaxGolombBits) {
    fail(Status::corrupt, "payload has ", bits, " remainder bits in its indices; at most ", kMaxGolombBits);
  }
  GolombState state{BitReader(in.subspan(1)), bits, 0, elements};
  // Codes are about bits + 2 long.
  if (bits <= 9) return decode_gaps<4>(state, indices);
  decode_gaps<2>(state, indices);
}

void encode_bitmap(Indices indices, MutableBytes out) {
  if (out.empty()) return;
  std::memset(out.data(), 0, out.size());
  for (const std::uint32_t index : indices) out[index / 8] |= std::byte{1} << (index % 8);
}

void decode_bitmap(Bytes in, std::size_t elements, std::span<std::uint32_t> indices) {
  expect_size(in, bytes_of_bits(elements));
  std::size_t found = 0;
  for (std::size_t at = 0; at < in.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, in.data() + at, std::min<std::size_t>(8, in.size() - at));
    for (; word != 0; word &= word - 1) {
      const std::size_t index = 8 * at + static_cast<unsigned>(std::countr_zero(word));
      if (found == indices.size() || index >= elements) refuse_index(index, elements);
      indices[found++] = static_cast<std::uint32_t>(index);
    }
  }
  if (found != indices.size()) {
    fail(Status::corrupt, "payload has a bitmap of ", found, " entries; its header says ", indices.size());
  }
}

}  // namespace

unsigned golomb_bits(std::size_t count, std::size_t elements) noexcept {
  if (count >= elements) return 0;
  const double share = static_cast<double>(count) / static_cast<double>(elements);
  const double golden_minus_one = (std::sqrt(5.0) - 1) / 2;
  const double bits = 1 + std::floor(std::log2(std::log(golden_minus_one) / std::log1p(-share)));
  return static_cast<unsigned>(std::clamp(bits, 0.0, double{kMaxGolombBits}));
}

std::size_t index_bytes(IndexCoder coder, Indices indices, std::size_t elements) noexcept {
  switch (coder) {
    case IndexCoder::raw:
      break;
    case IndexCoder::bitpack:
      return bytes_of_bits(indices.size() * bits_per_index(elements));
    case IndexCoder::golomb:
      return golomb_size(indices, golomb_bits(indices.size(), elements));
    case IndexCoder::bitmap:
      return bytes_of_bits(elements);
  }
  return indices.size() * sizeof(std::uint32_t);
}

IndexCoder smallest_index_coder(Indices indices, std::size_t elements) noexcept {
  IndexCoder best = IndexCoder::raw;
  std::size_t fewest = index_bytes(best, indices, elements);
  for (const IndexCoder coder : {IndexCoder::bitpack, IndexCoder::golomb, IndexCoder::bitmap}) {
    const std::size_t bytes = index_bytes(coder, indices, elements);
    if (bytes < fewest) {
      best = coder;
      fewest = bytes;
    }
  }
  return best;
}

void encode_indices(IndexCoder coder, Indices indices, std::size_t elements, MutableBytes out) {
  switch (coder) {
    case IndexCoder::raw:
      if (!indices.empty()) std::memcpy(out.data(), indices.data(), indices.size_bytes());
      break;
    case IndexCoder::bitpack:
      return encode_bitpack(indices, elements, out);
    case IndexCoder::golomb:
      return encode_golomb(indices, elements, out);
    case IndexCoder::bitmap:
      return encode_bitmap(indices, out);
  }
}

void decode_indices(IndexCoder coder, Bytes in, std::size_t elements, std::span<std::uint32_t> indices) {
  switch (coder) {
    case IndexCoder::raw:
      expect_size(in, indices.size_bytes());
      if (!indices.empty()) std::memcpy(indices.data(), in.data(), in.size());
      return expect_ascending(indices, elements);
    case IndexCoder::bitpack:
      return decode_bitpack(in, elements, indices);
    case IndexCoder::golomb:
      return decode_golomb(in, elements, indices);
    case IndexCoder::bitmap:
      return decode_bitmap(in, elements, indices);
  }
}

}  // namespace gossamer
