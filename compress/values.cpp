#include "compress/values.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compress/kernels.hpp"
#include "compress/packed_values.hpp"
#include "lib/base/dtype.hpp"

namespace gossamer {
namespace {

/// A block's scale, then its codes.
void encode_int8_block(std::span<const float> values, MutableBytes out) {
  kernels::quantise_int8(
      values,
      {.block = kValueBlock, .scales = out.first(sizeof(float)), .codes = out.subspan(sizeof(float), values.size())});
}

void add_int8_block(Bytes in, std::span<float> values) {
  float scale = 0;
  std::memcpy(&scale, in.data(), sizeof(scale));
  if (!(scale >= 0) || !std::isfinite(scale)) {
    fail(Status::corrupt, "payload has an int8 scale of ", scale, "; scales are finite and not negative");
  }
  kernels::add_int8(in.first(sizeof(scale)), in.subspan(sizeof(scale), values.size()), kValueBlock, 1, values);
}

std::size_t int8_bytes(std::size_t count) noexcept {
  return count + (count + kValueBlock - 1) / kValueBlock * sizeof(float);
}

}  // namespace

std::size_t value_bytes(ValueFormat format, std::size_t count) noexcept {
  switch (format.coder) {
    case ValueCoder::fp32:
      return 4 * count;
    case ValueCoder::int8:
      return int8_bytes(count);
    case ValueCoder::sign:
    case ValueCoder::log4:
    case ValueCoder::levels:
      return packed_bytes(format, count);
    case ValueCoder::fp16:
    case ValueCoder::bf16:
      break;
  }
  return 2 * count;
}

void encode_values(ValueFormat format, std::span<const float> values, MutableBytes out) {
  if (values.empty()) return;
  switch (format.coder) {
    case ValueCoder::fp32:
      std::memcpy(out.data(), values.data(), values.size_bytes());
      break;
    case ValueCoder::fp16:
      kernels::narrow(DType::float16, values, out.first(2 * values.size()));
      break;
    case ValueCoder::bf16:
      kernels::narrow(DType::bfloat16, values, out.first(2 * values.size()));
      break;
    case ValueCoder::int8:
      for (std::size_t at = 0; at < values.size(); at += kValueBlock) {
        encode_int8_block(values.subspan(at, std::min(kValueBlock, values.size() - at)), out.subspan(int8_bytes(at)));
      }
      break;
    case ValueCoder::sign:
    case ValueCoder::log4:
    case ValueCoder::levels:
      return pack_values(format, values, out);
  }
}

void decode_values(ValueFormat format, Bytes in, std::size_t first, std::span<float> values) {
  if (values.empty()) return;
  if (format.packed()) return unpack_values(format, in, first, values);
  in = in.subspan(value_bytes(format, first));
  if (format.coder == ValueCoder::fp32) {
    std::memcpy(values.data(), in.data(), values.size_bytes());
    return;
  }
  std::fill(values.begin(), values.end(), 0.0F);
  if (format.coder != ValueCoder::int8) {
    const DType half = format.coder == ValueCoder::fp16 ? DType::float16 : DType::bfloat16;
    kernels::add_widened(half, in.first(2 * values.size()), 1, values);
    return;
  }
  for (std::size_t at = 0; at < values.size(); at += kValueBlock) {
    add_int8_block(in.subspan(int8_bytes(at)), values.subspan(at, std::min(kValueBlock, values.size() - at)));
  }
}

}  // namespace gossamer
