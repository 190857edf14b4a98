#include <limits>

#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"
#include "compress/variance_kernels.hpp"

namespace gossamer {
namespace {

constexpr double kTypicalShare = 0.01;  // only the data knows it
constexpr std::size_t kBlock = 4096;

struct VarianceRule {
  double alpha = 1;
  float zeta = 0;
};

/// Second moments may leave the range of float; they stay at its end.
float bounded_sum(float a, float b) noexcept {
  return std::min(a + b, std::numeric_limits<float>::max());
}

/// The values r with r² > alpha · v. v becomes 0 where a value is kept, -0 to be exact: the sign says what has been
/// chosen, until the next second moments are added to it. Elsewhere it decays by zeta.
class VarianceSelection final : public Selection {
 public:
  VarianceSelection(const VarianceRule& rule, std::size_t count) : rule_(rule), moments_(count) {}

  [[nodiscard]] std::span<float> moments() noexcept { return moments_; }
  [[nodiscard]] double share() const noexcept override { return kTypicalShare; }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void survey(Chunk values, const StepContext& context) override {
    const auto scale = static_cast<double>(context.input_scale);
    const double weight = rule_.alpha * scale * scale;
    kernels::mark_outgrown(values.floats(), weight, rule_.zeta, moments_);
  }
  void pick(Chunk run, SparseVector& out) override {
    for (std::size_t at = 0; at < run.count; at += kBlock) {
      const std::span<const float> block = run.floats().subspan(at, std::min(kBlock, run.count - at));
      out.make_room(block.size() + kernels::kStoreSlack);
      out.added(kernels::pick_marked(block, moments_.data() + run.offset + at, static_cast<std::uint32_t>(at),
                                     {out.end_indices(), out.end_values()}));
    }
  }
  void reset() override { std::fill(moments_.begin(), moments_.end(), 0.0F); }

 private:
  VarianceRule rule_;
  std::vector<float> moments_;  ///< v
};

/// Tsuzuku, Imachi & Akiba, "Variance-based gradient compression for efficient distributed deep learning", ICLR 2018
/// workshop. r, the gradients not sent yet, is the residual.
class Variance final : public SparseUnion, public Conditioner, public TakesSecondMoments {
 public:
  Variance(SparseMethod method, std::span<float> moments) : SparseUnion(std::move(method)), moments_(moments) {}

  [[nodiscard]] std::span<float> state() noexcept override { return moments_; }
  void reset() override {
    SparseUnion::reset();
    given_ = false;
  }
  void second_moments(std::span<const float> moments) override {
    if (moments.size() != moments_.size()) {
      fail(Status::argument, moments.size(), " second moments for a tensor of ", moments_.size(), " elements");
    }
    for (const float moment : moments) {
      if (!(moment >= 0) || !std::isfinite(moment)) {
        fail(Status::argument, "a second moment is ", moment, "; they are finite and not negative");
      }
    }
    for (std::size_t i = 0; i < moments.size(); ++i) moments_[i] = bounded_sum(moments_[i], moments[i]);
    given_ = true;
  }
  /// Without second moments, the rank's gradient counts as one sample.
  void condition(Chunk gradient, const StepContext&) override {
    if (!given_) kernels::add_squares(gradient.floats(), moments_);
    given_ = false;
  }

 private:
  std::span<float> moments_;  ///< the selection's
  bool given_ = false;        ///< for the next call
};

constexpr Key kKeys[] = {
    {"alpha", "1", "a value is sent once its square exceeds this many times its variance, 0 to 1000000"},
    {"zeta", "0.999", "factor by which the variance of what is not sent decays in each call, 0 to 1"},
    kValuesKey,
    kIndicesKey,
};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape& shape) {
  const VarianceRule rule{options.real("alpha", 0, 1e6), static_cast<float>(options.real("zeta", 0, 1))};
  auto selection = std::make_unique<VarianceSelection>(rule, shape.count());
  const std::span<float> moments = selection->moments();
  SparseMethod method{
      .name = "variance.1", .coders = {read_values(options), read_indices(options)}, .selection = std::move(selection)};
  return std::make_unique<Variance>(std::move(method), moments);
}

}  // namespace

CodecEntry variance_entry() noexcept {
  return {.name = "variance",
          .summary = "the sums of gradients that have outgrown their variance, with their positions",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make};
}

}  // namespace gossamer
