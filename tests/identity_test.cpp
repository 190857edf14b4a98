#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "compress/codec.hpp"
#include "compress/half.hpp"
#include "lib/base/error.hpp"

namespace gossamer {
namespace {

constexpr DType kTypes[] = {DType::float32, DType::float64, DType::float16, DType::bfloat16};

/// A tensor of small integers, which every type holds exactly.
struct Tensor {
  Tensor(DType type_, std::size_t count_, int step) : type(type_), count(count_), bytes(count_ * size_of(type_)) {
    for (std::size_t i = 0; i < count; ++i) set(i, static_cast<float>(static_cast<int>(i % 32) * step));
    choice = make_codec("identity", Shape{type, {count}});
  }
  void set(std::size_t index, float value) {
    const double wide = static_cast<double>(value);
    const std::uint16_t half = type == DType::float16 ? float_to_float16(value) : float_to_bfloat16(value);
    const void* from = &half;
    if (type == DType::float32) from = &value;
    if (type == DType::float64) from = &wide;
    std::memcpy(bytes.data() + index * size_of(type), from, size_of(type));
  }
  [[nodiscard]] double get(std::size_t index) const {
    const std::byte* from = bytes.data() + index * size_of(type);
    if (type == DType::float64) return *reinterpret_cast<const double*>(from);
    if (type == DType::float32) return static_cast<double>(*reinterpret_cast<const float*>(from));
    const std::uint16_t half = *reinterpret_cast<const std::uint16_t*>(from);
    return static_cast<double>(type == DType::float16 ? float16_to_float(half) : bfloat16_to_float(half));
  }
  Chunk chunk() { return {bytes.data(), count, 0}; }
  InPlaceCodec& codec() { return dynamic_cast<InPlaceCodec&>(*choice.codec); }

  DType type;
  std::size_t count;
  std::vector<std::byte> bytes;
  CodecChoice choice;
};

TEST_CASE("identity: the payload is the chunk's own memory, of count times the element size") {
  for (const DType type : kTypes) {
    INFO(std::string(name_of(type)));
    Tensor tensor(type, 65, 1);
    const Bytes payload = tensor.codec().encode(tensor.chunk(), {});
    CHECK(payload.data() == tensor.bytes.data());
    CHECK(payload.size() == 65 * size_of(type));
    CHECK(tensor.codec().max_payload(65) == payload.size());
  }
}

TEST_CASE("identity: accumulate and rescale compute in the tensor's type") {
  for (const DType type : kTypes) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{65}, std::size_t{1009}}) {
      INFO(std::string(name_of(type)), " × ", count);
      Tensor tensor(type, count, 1);
      Tensor other(type, count, 3);
      tensor.codec().accumulate(other.bytes, 1.0F, tensor.chunk());
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < count; ++i) wrong += tensor.get(i) == 4.0 * static_cast<double>(i % 32) ? 0 : 1;
      CHECK(tensor.codec().rescale(0.5, tensor.chunk()));
      for (std::size_t i = 0; i < count; ++i) wrong += tensor.get(i) == 2.0 * static_cast<double>(i % 32) ? 0 : 1;
      CHECK(tensor.codec().rescale(2.0, tensor.chunk()));
      for (std::size_t i = 0; i < count; ++i) wrong += tensor.get(i) == 4.0 * static_cast<double>(i % 32) ? 0 : 1;
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("identity: float64 keeps its precision") {
  Tensor tensor(DType::float64, 3, 0);
  Tensor other(DType::float64, 3, 0);
  const double tiny[] = {0x1p-50, -0x1p-50, 0x1p-51};
  std::memcpy(other.bytes.data(), tiny, sizeof(tiny));
  const double ones[] = {1.0, 1.0, 1.0};
  std::memcpy(tensor.bytes.data(), ones, sizeof(ones));
  tensor.codec().accumulate(other.bytes, 1.0F, tensor.chunk());
  for (std::size_t i = 0; i < 3; ++i) CHECK(tensor.get(i) == 1.0 + tiny[i]);
}

TEST_CASE("identity: what is not finite is reported, marked and recognised") {
  for (const DType type : kTypes) {
    INFO(std::string(name_of(type)));
    Tensor tensor(type, 40, 1);
    Tensor other(type, 40, 1);
    CHECK_FALSE(tensor.codec().marked_nonfinite(tensor.chunk()));
    other.set(39, std::numeric_limits<float>::infinity());
    tensor.codec().accumulate(other.bytes, 1.0F, tensor.chunk());
    CHECK_FALSE(tensor.codec().rescale(1.0, tensor.chunk()));
    tensor.codec().mark_nonfinite(tensor.chunk());
    CHECK(tensor.codec().marked_nonfinite(tensor.chunk()));
    CHECK(std::isnan(tensor.get(0)));
    CHECK(tensor.get(1) == 2.0);
    Tensor empty(type, 0, 1);
    empty.codec().mark_nonfinite(empty.chunk());
    CHECK_FALSE(empty.codec().marked_nonfinite(empty.chunk()));
  }
}

TEST_CASE("identity: a payload of another size is corrupt and changes nothing") {
  for (const DType type : kTypes) {
    INFO(std::string(name_of(type)));
    Tensor tensor(type, 9, 1);
    const std::vector<std::byte> before = tensor.bytes;
    for (const std::size_t size : {std::size_t{0}, before.size() - 1, before.size() + 1}) {
      const std::vector<std::byte> payload(size);
      try {
        tensor.codec().accumulate(payload, 1.0F, tensor.chunk());
        FAIL_CHECK("a payload of ", size, " bytes was accepted");
      } catch (const Error& error) {
        CHECK(error.status() == Status::corrupt);
      }
    }
    CHECK(tensor.bytes == before);
  }
}

}  // namespace
}  // namespace gossamer
