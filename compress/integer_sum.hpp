#pragma once

#include <string_view>
#include <vector>

#include "compress/codec.hpp"
#include "compress/integer_payload.hpp"
#include "compress/rounding.hpp"

namespace gossamer {

/// What codecs have in common whose codes are small integers that hops add: scale × levels × rounding → digits → bit
/// planes. A codec says what a unit is and how values become digits.
class IntegerSum : public MergeableCodec {
 public:
  /// `name` with the layout's version.
  IntegerSum(std::string_view name, const integer::Format& format) noexcept : name_(name), format_(format) {}

  [[nodiscard]] std::string_view name() const noexcept final { return name_; }
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept final {
    return integer::max_payload_bytes(format_, count);
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept final { return typical_sum(count, 1); }
  [[nodiscard]] std::size_t typical_sum(std::size_t count, int contributions) const noexcept override {
    return integer::typical_payload_bytes(format_, count, static_cast<unsigned>(contributions));
  }
  Bytes encode(Chunk chunk, MutableBytes slot) final;
  void accumulate(Bytes payload, float scale, Chunk out) const final;
  Bytes merge(Bytes a, Bytes b, std::size_t count, MutableBytes slot) const final {
    return integer::merge(format_, a, b, count, slot);
  }

 protected:
  /// Values that share a unit.
  struct Piece {
    std::span<const float> values;
    std::uint64_t offset = 0;  ///< of the first, in the tensor
    float unit = 0.0F;
  };

  [[nodiscard]] const integer::Format& format() const noexcept { return format_; }
  /// The unit of `length` values that start at element `offset` of the tensor.
  [[nodiscard]] virtual float unit_of(std::uint64_t offset, std::size_t length) const = 0;
  /// One digit for each value; as many as DigitWriter::next gives at most.
  virtual void quantise(const Piece& piece, std::uint8_t* digits) const = 0;
  /// format().tag_bytes that all ranks' payloads share.
  virtual void put_tag(ByteWriter& writer) const;
  /// All values of a run, any number of them, as digits: as they are, unless a codec transforms them first.
  virtual void encode_run(Piece run, integer::DigitWriter& digits) const;
  /// Where decoded values of a run go: out += scale · value.
  struct Target {
    std::span<float> out;
    std::uint64_t offset = 0;  ///< of the first, in the tensor
    float unit = 0.0F;
    float scale = 0.0F;
  };
  /// Adds what the next target.out.size() sums mean; `tag` is the payload's.
  virtual void add_run(integer::SumReader& sums, Bytes tag, const Target& target) const;

 private:
  std::string_view name_;
  integer::Format format_;
};

/// Units come from maxima over the ranks, one per block of the tensor.
class SharedScaleSum : public IntegerSum, public SharedMaxima {
 public:
  SharedScaleSum(std::string_view name, const integer::Format& format, std::size_t tensor_count);

  [[nodiscard]] std::span<float> maxima() noexcept final { return maxima_; }
  [[nodiscard]] bool surveys() const noexcept final { return true; }
  [[nodiscard]] std::span<float> state() noexcept final { return {}; }
  void reset() final {}
  void begin(Chunk tensor, const StepContext& context) override;

 protected:
  /// What ranks take the maximum of: a norm of a block's values.
  [[nodiscard]] virtual float magnitude(std::span<const float> block) = 0;
  [[nodiscard]] float maximum_at(std::uint64_t offset) const noexcept {
    return maxima_[format().block == 0 ? 0 : offset / format().block];
  }
  /// The values of a piece with this rank's randomness for rounding them.
  [[nodiscard]] RoundingSource rounding_of(const Piece& piece) const noexcept {
    return {piece.values, own_, piece.offset};
  }

 private:
  std::vector<float> maxima_;
  RandomStream own_;
};

}  // namespace gossamer
