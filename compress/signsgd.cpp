#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "compress/entries.hpp"
#include "compress/integer_sum.hpp"
#include "compress/kernels.hpp"
#include "compress/levels.hpp"

namespace gossamer {
namespace {

constexpr integer::Format format_of(std::string_view codec) noexcept {
  return {codec, {1, 1, 2}, 0, 0, integer::Form::planes, false};
}

/// signSGD with majority vote (Bernstein et al., "signSGD: compressed optimisation for non-convex problems", ICML 2018;
/// "signSGD with majority vote is communication efficient and fault tolerant", ICLR 2019): hops count the signs that
/// are +, the owner of a part turns counts into one bit.
///
/// With u the scale of the input, a sign means ±u and a vote of t ranks ±t·u, so that error feedback has a unit to work
/// in. A vote is a payload of one contribution under the unit t·u.
class SignVote : public IntegerSum, public Finisher {
 public:
  SignVote(std::string_view name, std::string_view codec) noexcept : IntegerSum(name, format_of(codec)) {}

  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext& context) override {
    unit_ = context.input_scale;
    shared_ = context.shared;
  }
  Bytes finish(Bytes sum, Chunk part, MutableBytes slot) override;

 private:
  [[nodiscard]] float unit_of(std::uint64_t, std::size_t) const override { return unit_; }
  void quantise(const Piece& piece, std::uint8_t* digits) const override {
    kernels::quantise_sign(piece.values, digits);
  }

  float unit_ = 1.0F;
  RandomStream shared_;
};

/// unit · ranks. The unit of a mean has been rounded, but its votes are ±1 all the same.
float vote_unit(float unit, unsigned ranks) noexcept {
  const double product = static_cast<double>(unit) * ranks;
  const double whole = std::nearbyint(product);
  const double largest = std::numeric_limits<float>::max();
  return static_cast<float>(std::abs(product - whole) <= 0x1p-23 * whole ? whole : std::min(product, largest));
}

/// Coin of element e: bit e % 32 of word e / 32 of what all ranks share. 64 of them, from element `first` on.
class Coins {
 public:
  Coins(const RandomStream& shared, std::uint64_t first, std::size_t count) noexcept : shift_(first % 32) {
    kernels::random_words(shared, first / 32, std::span(words_).first((shift_ + count + 31) / 32));
  }
  [[nodiscard]] std::uint64_t word(std::size_t index) const noexcept {
    const std::uint32_t* at = words_.data() + 2 * index;
    const std::uint64_t low = at[0] | std::uint64_t{at[1]} << 32;
    return shift_ == 0 ? low : low >> shift_ | std::uint64_t{at[2]} << (64 - shift_);
  }

 private:
  std::size_t shift_;
  std::array<std::uint32_t, integer::kGroup / 32 + 2 * planes::kWord / 32> words_{};
};

/// Bits of the counts that are above half of `ranks`, or are half of it and have won the toss: a comparison of 64
/// counts with one number, from the top plane down.
std::uint64_t majority(const std::byte* planes, unsigned width, unsigned ranks, std::uint64_t coins) noexcept {
  const unsigned half = ranks / 2;
  std::uint64_t above = 0;
  std::uint64_t equal = ~std::uint64_t{0};
  for (unsigned bit = width; bit-- > 0;) {
    std::uint64_t plane = 0;
    std::memcpy(&plane, planes + bit * sizeof(plane), sizeof(plane));
    const std::uint64_t limit = (half >> bit & 1) != 0 ? ~std::uint64_t{0} : 0;
    above |= equal & plane & ~limit;
    equal &= ~(plane ^ limit);
  }
  return ranks % 2 == 0 ? above | (equal & coins) : above;
}

Bytes SignVote::finish(Bytes sum, Chunk part, MutableBytes slot) {
  const integer::Payload payload = integer::Payload::parse(format(), sum, part.count);
  ByteWriter writer(slot);
  integer::put_header(writer, part.count, payload.offset, 1, integer::Form::planes);
  writer.put(vote_unit(payload.unit(0), payload.contributions));
  integer::PlaneReader counts(format(), payload);
  for (std::uint64_t offset = payload.offset; const std::size_t group = counts.group(); offset += group) {
    const std::byte* planes = counts.next();
    const Coins coins(shared_, offset, group);
    for (std::size_t word = 0; word < planes::words_of(group); ++word) {
      writer.put(majority(planes + word * counts.width() * sizeof(std::uint64_t), counts.width(), payload.contributions,
                          coins.word(word)));
    }
  }
  return writer.written();
}

/// Signum: the same vote on the signs of a running mean of the gradients.
class Signum final : public SignVote, public Conditioner {
 public:
  Signum(double momentum, std::size_t count)
      : SignVote("signum.1", "signum"), momentum_(static_cast<float>(momentum)), mean_(momentum == 0 ? 0 : count) {}

  [[nodiscard]] std::span<float> state() noexcept override { return mean_; }
  void reset() override { std::fill(mean_.begin(), mean_.end(), 0.0F); }
  void condition(Chunk gradient, const StepContext&) override {
    if (mean_.empty()) return;
    const std::span<float> values = gradient.floats();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = mean_[i] = momentum_ * mean_[i] + (1.0F - momentum_) * values[i];
    }
  }

 private:
  float momentum_;
  std::vector<float> mean_;  ///< none without momentum
};

constexpr std::array kSignumKeys = {
    Key{"momentum", "0.9", "share of the mean so far in the new one, 0 to 0.9999; 0 is signsgd"},
};

}  // namespace

CodecEntry signsgd_entry() noexcept {
  return {.name = "signsgd",
          .summary = "one bit per value, and the majority of the ranks' signs as the sum",
          .error_feedback = false,
          .error = 1,
          .make = [](const Options&, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<SignVote>("signsgd.1", "signsgd");
          }};
}

CodecEntry signum_entry() noexcept {
  return {.name = "signum",
          .summary = "the majority of the signs of each rank's momentum",
          .error_feedback = false,
          .error = 10,  // a first call has a tenth of the gradient, which signs do not know
          .keys = kSignumKeys,
          .make = [](const Options& options, const Shape& shape) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<Signum>(options.real("momentum", 0.0, 0.9999), shape.count());
          }};
}

}  // namespace gossamer
