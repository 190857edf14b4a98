#include <algorithm>
#include <array>
#include <vector>

#include "compress/entries.hpp"
#include "compress/low_rank.hpp"
#include "compress/orthonormal.hpp"
#include "compress/subspace.hpp"
#include "compress/thin_products.hpp"
#include "compress/wire.hpp"
#include "lib/base/error.hpp"

namespace gossamer {
namespace {

struct PowerSgdOptions {
  std::size_t rank;
  std::string_view wire;
  bool warm;
  int iterations;
  bool half;
  int plus;  ///< calls from one dense exchange to the next; 0: none
};

/// PowerSGD (Vogels, Karimireddy, Jaggi, "PowerSGD: practical low-rank gradient compression for distributed
/// optimization", NeurIPS 2019): subspace iteration, warm-started from the call before.
///
/// The tensor is a matrix M. An even round sums P = M Q over the ranks, the odd one after it Mᵀ P̂ with P̂ an
/// orthonormal basis of the columns of P; the ranks agree on P̂ (Σ Mᵀ P̂)ᵀ. What outlives a call is the last sum,
/// orthonormalised when the next call begins, so that columns that are zero or have become dependent, and with them a
/// tensor whose gradient was zero for a while, start afresh.
///
/// With `half` a call runs only one of the two rounds: calls take turns at P = M Q̂, agreeing on P Q̂ᵀ, and at Q = Mᵀ P̂.
///
/// Q and P̂ are orthonormal, so no intermediate exceeds the sum of the ranks' Frobenius norms: below 3.4e38 nothing
/// overflows (65504 with wire=fp16). A NaN or Inf reaches the result of its own call and nothing after it.
class PowerSgd : public LinearCodec, public Intermittent {
 public:
  PowerSgd(low_rank::Sides sides, const PowerSgdOptions& options)
      : sides_(sides),
        options_(options),
        memory_((sides.rows + sides.cols) * options.rank + kMarks),
        q_(std::span(memory_).first(sides.cols * options.rank)),
        marks_(std::span(memory_).subspan(q_.size(), kMarks)),
        products_(sides.rows, sides.cols, options.rank),
        p_(std::span(memory_).last(sides.rows * options.rank)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "powersgd.1"; }
  [[nodiscard]] std::span<float> state() noexcept override {
    if (!options_.warm) return {};
    if (options_.half) return memory_;
    return std::span(memory_).first(q_.size() + (options_.plus > 0 ? kMarks : std::size_t{0}));
  }
  void reset() override { std::fill(memory_.begin(), memory_.end(), 0.0F); }
  [[nodiscard]] int rounds() const noexcept override { return 2 * options_.iterations; }
  [[nodiscard]] std::size_t round_count(int round) const noexcept override {
    return (forth(round) ? sides_.rows : sides_.cols) * options_.rank;
  }
  [[nodiscard]] bool skips(int round) const noexcept override { return options_.half && forth(round) == from_left_; }
  [[nodiscard]] std::string_view wire() const noexcept override { return options_.wire; }
  void begin(Chunk tensor, const StepContext& context) override;
  void project(int round, std::size_t offset, std::span<float> out) override;
  void absorb(int round, std::span<const float> sum) override;
  void reconstruct(std::size_t offset, std::span<float> out) const override;

 protected:
  /// What is remembered besides the factors, as floats for state(): calls before the next dense one, which is due below
  /// 1; and with `half` whether the call before left Q behind (0) or P.
  enum Mark : std::size_t { kCountdown, kSide, kMarks };

  low_rank::Sides sides_;
  PowerSgdOptions options_;
  RandomStream shared_;
  std::vector<float> memory_;  ///< q_, marks_, p_; zero until the first call
  std::span<float> q_;         ///< rank × cols
  std::span<float> marks_;     ///< by Mark

 private:
  [[nodiscard]] static bool forth(int round) noexcept { return round % 2 == 0; }
  void orthonormalise_factor(bool left, std::uint32_t purpose);

  ThinProducts products_;
  bool from_left_ = false;  ///< this call starts from P: every other one with `half`
  std::span<float> p_;      ///< rank × rows
};

void PowerSgd::orthonormalise_factor(bool left, std::uint32_t purpose) {
  SharedDraws draws(shared_, purpose);
  orthonormalise(left ? p_ : q_, left ? sides_.rows : sides_.cols, draws);
}

void PowerSgd::begin(Chunk tensor, const StepContext& context) {
  products_.set(tensor.floats().data());
  shared_ = context.shared;
  if (!options_.warm) reset();
  from_left_ = options_.half && marks_[kSide] != 0;
  orthonormalise_factor(from_left_, 0);
}

void PowerSgd::project(int round, std::size_t offset, std::span<float> out) {
  if (out.empty()) return;
  if (forth(round)) {
    products_.times(products_.right(q_), offset, out);
  } else {
    products_.transposed_times(products_.left(p_), offset, out);
  }
}

void PowerSgd::absorb(int round, std::span<const float> sum) {
  transpose(sum, options_.rank, forth(round) ? p_ : q_);
  const bool last = options_.half || round + 1 == rounds();
  if (!last) return orthonormalise_factor(forth(round), static_cast<std::uint32_t>(round) + 1);
  marks_[kSide] = forth(round) ? 1 : 0;
  marks_[kCountdown] -= options_.plus > 0 ? 1 : 0;
}

void PowerSgd::reconstruct(std::size_t offset, std::span<float> out) const {
  products_.outer(products_.left(p_), products_.right(q_), offset, out);
}

/// PowerSGD+ (arXiv 2509.11254): every so many calls, the first among them, exchange the
/// tensor as it is and take Q from the sum, so that no direction stays unseen for ever.
class PowerSgdPlus final : public PowerSgd, public Learner {
 public:
  using PowerSgd::PowerSgd;

  [[nodiscard]] bool dense() const noexcept override { return !(marks_[kCountdown] >= 1); }
  void learn(std::span<const float> sum) override {
    SharedDraws draws(shared_, 0);
    subspace_.find({sum.data(), sides_.rows, sides_.cols, sides_.cols}, q_, draws);
    marks_[kSide] = 0;
    marks_[kCountdown] = static_cast<float>(options_.plus - 1);
  }

 private:
  LeadingSubspace subspace_;
};

constexpr std::array kKeys = {
    low_rank::kRankKey,
    kWireKey,
    low_rank::kStartKey,
    Key{"iterations", "1", "power iterations per call, each two rounds: 1 to 3"},
    Key{"half", "off", "on: calls take turns at the two factors and send one each"},
    Key{"plus", "0", "every so many calls exchange the tensor as it is and take their subspace from it; 0: none"},
};

std::unique_ptr<TensorCodec> make_powersgd(const Options& options, const Shape& shape) {
  const low_rank::Sides sides = low_rank::sides_of(shape);
  PowerSgdOptions read{};
  read.rank = low_rank::rank_of(options, sides);
  read.wire = wire_of(options);
  read.warm = low_rank::is_warm(options);
  read.plus = static_cast<int>(options.integer("plus", 0, 1 << 20));
  read.iterations = static_cast<int>(options.integer("iterations", 1, 3));  // a call may have six rounds
  read.half = options.flag("half");
  if (read.half && read.iterations > 1) {
    fail(Status::argument, "powersgd: half=on does half an iteration per call; iterations=", read.iterations,
         " contradicts it");
  }
  if (!read.warm && (read.half || read.plus > 0)) {
    fail(Status::argument, "powersgd: half=on and plus=", read.plus, " carry a subspace from call to call; start=fresh",
         " contradicts them");
  }
  if (read.plus > 0) return std::make_unique<PowerSgdPlus>(sides, read);
  return std::make_unique<PowerSgd>(sides, read);
}

}  // namespace

CodecEntry powersgd_entry() noexcept {
  return {.name = "powersgd",
          .summary = "low-rank factors, summed exactly (PowerSGD)",
          .error_feedback = true,
          .needs_matrix = true,
          .error = 1,
          .keys = kKeys,
          .make = make_powersgd};
}

}  // namespace gossamer
