#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "compress/entries.hpp"
#include "compress/hadamard.hpp"
#include "compress/integer_sum.hpp"
#include "compress/kernels.hpp"
#include "compress/levels.hpp"
#include "compress/thc_table.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kTagBytes = sizeof(std::uint64_t) + sizeof(std::uint32_t);

/// THC (Li et al., "THC: accelerating distributed deep learning using tensor homomorphic compression", NSDI 2024). A
/// block of values x is rotated, y = H D x / √P, where D are random signs that all ranks share and P the block's
/// length, filled up with zeros to a power of two; y is clipped to ±t σ, σ² being the largest of all ranks' mean
/// squares, and rounded without bias to a table of 2^bits of the integers 0 … g. Table values add; decoding rotates
/// back.
///
/// The tag is the key of the signs: u64 seed, u32 call. Rotating integers back is exact, so that what a sum decodes to
/// is the sum of what its parts decode to: for blocks of 4096 and g = 30 up to 273 contributions, and to float's
/// precision beyond.
class Thc final : public SharedScaleSum, public Grained {
 public:
  Thc(unsigned bits, std::size_t tensor_count)
      : SharedScaleSum("thc.2", format_of(bits), tensor_count),
        centre_(format().lattice.bias),
        cells_(cells_of(thc::table_of(bits))),
        tensor_count_(tensor_count) {}

  [[nodiscard]] std::size_t grain() const noexcept override { return kBlock; }
  void begin(Chunk tensor, const StepContext& context) override {
    shared_ = context.shared;
    SharedScaleSum::begin(tensor, context);
  }

 private:
  static integer::Format format_of(unsigned bits) noexcept {
    const unsigned top = thc::table_of(bits).back();
    return {"thc", {top, top / 2, 1}, kBlock, kTagBytes, integer::Form::planes, true};
  }

  static kernels::LevelTable cells_of(std::span<const std::uint8_t> values) noexcept {
    kernels::LevelTable cells;
    for (std::size_t i = 0; i + 1 < values.size(); ++i) {
      for (std::size_t cell = values[i]; cell < values[i + 1]; ++cell) {
        cells.below[cell] = values[i];
        cells.gap[cell] = static_cast<float>(values[i + 1] - values[i]);
      }
    }
    return cells;
  }

  /// The root of the mean square: no larger than the largest value, so that it is finite.
  float magnitude(std::span<const float> block) override {
    return static_cast<float>(std::sqrt(kernels::sum_of_squares(block) / static_cast<double>(block.size())));
  }

  [[nodiscard]] float unit_of(std::uint64_t offset, std::size_t length) const override {
    const std::uint64_t start = offset / kBlock * kBlock;
    const auto all = static_cast<double>(std::min<std::uint64_t>(kBlock, tensor_count_ - start));
    const double sigma =
        static_cast<double>(maximum_at(offset)) * std::sqrt(all / static_cast<double>(std::bit_ceil(length)));
    const double unit = thc::kClip * sigma / centre_;
    return static_cast<float>(std::min(unit, static_cast<double>(std::numeric_limits<float>::max())));
  }

  void put_tag(ByteWriter& writer) const override {
    writer.put(shared_.seed);
    writer.put(shared_.call);
  }

  void quantise(const Piece& piece, std::uint8_t* digits) const override {
    const auto limit = static_cast<float>(centre_);
    const kernels::LevelRule rule{{1.0F, 1.0F, 1.0F}, -limit, limit, static_cast<std::uint8_t>(centre_)};
    kernels::quantise_table(rounding_of(piece), rule, cells_, digits);
  }

  void encode_run(Piece run, integer::DigitWriter& digits) const override {
    alignas(64) std::array<float, kBlock> block;
    const std::span<float> rotated = std::span(block).first(std::bit_ceil(run.values.size()));
    const Int8Scale steps = int8_steps(run.unit);
    const float share = share_of(rotated.size());
    for (std::size_t i = 0; i < run.values.size(); ++i) {
      rotated[i] = run.values[i] * steps.lift * steps.inverse * share;
    }
    std::fill(rotated.begin() + static_cast<std::ptrdiff_t>(run.values.size()), rotated.end(), 0.0F);
    flip_signs(rotated, Signs(shared_, run.offset).data());
    hadamard(rotated);
    SharedScaleSum::encode_run({rotated, run.offset, run.unit}, digits);
  }

  void add_run(integer::SumReader& sums, Bytes tag, const Target& target) const override {
    ByteReader reader(tag);
    const auto seed = reader.get<std::uint64_t>();
    const RandomStream shared{seed, reader.get<std::uint32_t>(), 0};
    alignas(64) std::array<float, kBlock> block;
    const std::span<float> rotated = std::span(block).first(std::bit_ceil(target.out.size()));
    sums.read(rotated);
    hadamard(rotated);
    const std::span<float> values = rotated.first(target.out.size());
    flip_signs(values, Signs(shared, target.offset).data());
    planes::add_multiples(values, target.unit * share_of(rotated.size()), target.scale, target.out);
  }

  /// Signs of a run that starts at element `offset`: the bits of the words from offset / 32 on.
  class Signs {
   public:
    Signs(const RandomStream& shared, std::uint64_t offset) noexcept {
      kernels::random_words(shared, offset / 32, words_);
    }
    [[nodiscard]] const std::uint32_t* data() const noexcept { return words_.data(); }

   private:
    std::array<std::uint32_t, kBlock / 32> words_;
  };

  /// What makes the rotation of so many values keep lengths.
  static float share_of(std::size_t length) noexcept {
    return static_cast<float>(1.0 / std::sqrt(static_cast<double>(length)));
  }

  unsigned centre_;
  kernels::LevelTable cells_;
  std::size_t tensor_count_;
  RandomStream shared_;
};

constexpr std::array kKeys = {
    Key{"bits", "4", "2^bits values that a code can take, 2 to 4; sums are of integers up to 2 (2^bits - 1)"},
};

}  // namespace

CodecEntry thc_entry() noexcept {
  return {.name = "thc",
          .summary = "randomly rotated blocks, clipped and rounded to a table whose values add",
          .error_feedback = true,
          .error = 0.7,  // two bits: variance 0.34 x^2 of rounding, 0.02 x^2 of clipping
          .keys = kKeys,
          .make = [](const Options& options, const Shape& shape) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Thc>(static_cast<unsigned>(options.integer("bits", 2, 4)), shape.count());
          }};
}

}  // namespace gossamer
