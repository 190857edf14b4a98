#pragma once

#include <algorithm>
#include <string_view>

#include "compress/codec.hpp"

namespace gossamer {

/// What codecs that send every value share: no state, and a payload of a u64 count and a body.
class DenseCodec : public Codec {
 public:
  [[nodiscard]] std::string_view name() const noexcept final { return name_; }
  [[nodiscard]] std::span<float> state() noexcept final { return {}; }
  void reset() final {}
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept final {
    return sizeof(std::uint64_t) + body_bytes(count);
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept final {
    return sizeof(std::uint64_t) + typical_body(count);
  }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext&) override {}
  Bytes encode(Chunk chunk, MutableBytes slot) final;
  void accumulate(Bytes payload, float scale, Chunk out) const final;

 protected:
  /// `name` is a literal: the registry name, a dot and the layout's version.
  explicit DenseCodec(std::string_view name) noexcept : name_(name) {}

  /// Largest body of `count` values.
  [[nodiscard]] virtual std::size_t body_bytes(std::size_t count) const noexcept = 0;
  /// What it usually takes, for bodies whose size depends on the values.
  [[nodiscard]] virtual std::size_t typical_body(std::size_t count) const noexcept { return body_bytes(count); }
  virtual void encode_body(Chunk chunk, ByteWriter& body) = 0;
  /// Takes all that belongs to out.count values, checks it and adds it. What is left over is the caller's to refuse.
  virtual void add_body(ByteReader& body, float scale, Chunk out) const = 0;

  /// The registry name, for messages.
  [[nodiscard]] std::string_view label() const noexcept { return name_.substr(0, name_.rfind('.')); }

 private:
  std::string_view name_;
};

/// Values in blocks that are coded each on its own, with floats that all values of a block share.
///
/// Body: u32 block, the floats of each block, the codes of each block (whole bytes).
class BlockCodec : public DenseCodec {
 public:
  static constexpr std::int64_t kLargestBlock = 1 << 20;

  template <typename Memory>
  struct Blocks {
    std::size_t block = 1;  ///< values
    Memory floats;
    Memory codes;
  };

 protected:
  /// `block` of 0 makes one block of each chunk; `floats` is how many a block has.
  BlockCodec(std::string_view name, std::size_t block, std::size_t floats) noexcept
      : DenseCodec(name), block_(block), floats_(floats) {}

  /// Bytes of a block of that many values; 0 for none.
  [[nodiscard]] virtual std::size_t code_bytes(std::size_t values) const noexcept = 0;
  virtual void encode_blocks(Chunk chunk, const Blocks<MutableBytes>& out) = 0;
  virtual void add_blocks(const Blocks<Bytes>& in, float scale, std::span<float> out) const = 0;
  /// Whether an encoder may write `value` as a block's float number `index`.
  [[nodiscard]] virtual bool possible(float value, std::size_t index) const noexcept = 0;

  /// Calls visit(first value, values, floats, codes) for each block of `count` values.
  template <typename Memory, typename Visit>
  void for_each_block(const Blocks<Memory>& blocks, std::size_t count, const Visit& visit) const {
    const std::size_t float_bytes = floats_ * sizeof(float);
    const std::size_t stride = code_bytes(blocks.block);
    for (std::size_t start = 0, index = 0; start < count; start += blocks.block, ++index) {
      const std::size_t values = std::min(blocks.block, count - start);
      visit(start, values, blocks.floats.subspan(index * float_bytes, float_bytes),
            blocks.codes.subspan(index * stride, code_bytes(values)));
    }
  }

 private:
  [[nodiscard]] std::size_t body_bytes(std::size_t count) const noexcept final;
  void encode_body(Chunk chunk, ByteWriter& body) final;
  void add_body(ByteReader& body, float scale, Chunk out) const final;
  [[nodiscard]] std::size_t block_for(std::size_t count) const noexcept;
  [[nodiscard]] std::size_t all_floats(std::size_t count, std::size_t block) const noexcept;
  [[nodiscard]] std::size_t all_codes(std::size_t count, std::size_t block) const noexcept;
  void check_floats(Bytes floats) const;

  std::size_t block_;
  std::size_t floats_;
};

}  // namespace gossamer
