#include "compress/sparse_codec.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "compress/packed_values.hpp"

namespace gossamer {
namespace {

/// About what positions of this density take, in bits for each element of `count`, entry or not.
double index_bits(std::optional<IndexCoder> coder, double density, std::size_t count) noexcept {
  const double golomb = density * (1.5 + std::log2(1 / density));
  if (!coder) return std::min(golomb, 1.0);
  switch (*coder) {
    case IndexCoder::raw:
      return 32 * density;
    case IndexCoder::bitpack:
      return std::bit_width(count) * density;
    case IndexCoder::golomb:
      return golomb;
    case IndexCoder::bitmap:
      break;
  }
  return 1;
}

}  // namespace

ValueFormat read_values(const Options& options) {
  constexpr ValueCoder kCoders[] = {ValueCoder::fp32, ValueCoder::fp16, ValueCoder::bf16,
                                    ValueCoder::int8, ValueCoder::log4, ValueCoder::sign};
  return kCoders[options.choice("values", {"fp32", "fp16", "bf16", "int8", "log4", "sign"})];
}

std::optional<IndexCoder> read_indices(const Options& options) {
  const std::size_t indices = options.choice("indices", {"auto", "raw", "bitpack", "golomb", "bitmap"});
  if (indices == 0) return std::nullopt;
  return static_cast<IndexCoder>(indices - 1);
}

bool read_reselect(const Options& options) {
  return options.choice("merge", {"union", "reselect"}) == 1;
}

template <class Base>
std::size_t SparseCodec<Base>::max_payload(std::size_t count) const noexcept {
  return max_sparse_payload(method_.coders.values, count);
}

template <class Base>
void SparseCodec<Base>::accumulate(Bytes payload, float scale, Chunk out) const {
  accumulate_payload(SparsePayload::parse(payload, out.count), scale, out.floats(), scratch_.a);
}

template <class Base>
std::size_t SparseCodec<Base>::estimate(double density, ValueFormat values, std::size_t count) const noexcept {
  if (!(density > 0)) return kSparseHeaderBytes;
  const double value = 8 * static_cast<double>(value_bytes(values, kValueBlock)) / kValueBlock;
  const double index = index_bits(method_.coders.indices, density, count);
  const auto bytes = static_cast<std::size_t>(static_cast<double>(count) * (density * value + index) / 8);
  return std::min(kSparseHeaderBytes + bytes, max_payload(count));
}

template <class Base>
Bytes SparseCodec<Base>::encode_chosen(Chunk chunk, MutableBytes slot) {
  SparseCoders coders = method_.coders;
  chosen_.clear();
  if (!keeps_all()) {
    method_.selection->pick(chunk, chosen_);
  } else if (coders.values.packed()) {
    pick_above(chunk.floats(), 0, 0, chosen_);  // zeros have no code
  } else {
    return write_dense(chunk.floats(), coders.values, slot);
  }
  coders.values.unit = round_values(coders.values, chosen_, {context_.own, chunk.offset});
  return write_sparse(chosen_, chunk.count, coders, slot);
}

template class SparseCodec<Codec>;
template class SparseCodec<MergeableCodec>;

std::size_t SparseUnion::typical_sum(std::size_t count, int contributions) const noexcept {
  // Ranks choose independently of each other.
  const double density = 1 - std::pow(1 - method().selection->share(), contributions);
  return contributions == 1 ? typical_own(count, density) : typical_union(count, density);
}

void SparseUnion::begin(Chunk tensor, const StepContext& context) {
  set_context(context);
  if (!keeps_all()) method().selection->survey(tensor, context);
}

Bytes SparseUnion::merge(Bytes a, Bytes b, std::size_t count, MutableBytes slot) const {
  return merge_payloads(SparsePayload::parse(a, count), SparsePayload::parse(b, count), method().coders.indices,
                        scratch(), slot);
}

std::size_t SparseReselect::typical_payload(std::size_t count) const noexcept {
  return typical_own(count, method().selection->share());
}

Bytes SparseReselect::encode(Chunk chunk, MutableBytes slot) {
  if (!keeps_all()) method().selection->survey(chunk, context());
  return encode_chosen(chunk, slot);
}

std::unique_ptr<TensorCodec> make_sparse(SparseMethod method, bool reselect) {
  if (reselect) return std::make_unique<SparseReselect>(std::move(method));
  return std::make_unique<SparseUnion>(std::move(method));
}

}  // namespace gossamer
