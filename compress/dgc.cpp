#include <bit>

#include "compress/entries.hpp"
#include "compress/momentum_union.hpp"

namespace gossamer {
namespace {

constexpr double kFirstDensity = 0.25;
constexpr double kSampleShare = 0.01;
constexpr std::size_t kLeastSample = 1024;
constexpr double kTooMany = 1.3;  // times the wanted number: the largest of them are chosen exactly
constexpr double kTooFew = 0.8;   // times the wanted number: the threshold falls by this factor
constexpr int kAdjustments = 10;

/// Deep gradient compression: Lin et al., "Deep gradient compression: reducing the communication bandwidth for
/// distributed training", ICLR 2018. A sampled threshold, corrected until about the wanted number of values reach it;
/// in the first calls the density falls from a quarter by equal factors.
class DgcSelection final : public Selection {
 public:
  DgcSelection(double ratio, std::int64_t warm_up) noexcept : ratio_(ratio), warm_up_(warm_up) {}

  [[nodiscard]] double share() const noexcept override { return ratio_; }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void survey(Chunk values, const StepContext& context) override {
    const double density = density_at(context.own.call);
    const double wanted = std::max(1.0, std::floor(density * static_cast<double>(values.count)));
    exact_ = !find_threshold(values.floats(), density, wanted);
    if (exact_) selector_.choose(values.floats(), static_cast<std::size_t>(wanted));
  }
  void pick(Chunk run, SparseVector& out) override {
    if (exact_) return selector_.pick(run.floats(), run.offset, out);
    pick_above(run.floats(), least_ - 1, 0, out);
  }
  void reset() override {
    selector_.reset();
    exact_ = true;
  }

 private:
  /// Calls count from 1.
  [[nodiscard]] double density_at(std::uint32_t call) const noexcept {
    const std::int64_t done = std::max<std::int64_t>(call, 1) - 1;
    if (done >= warm_up_ || ratio_ >= kFirstDensity) return ratio_;
    return kFirstDensity * std::pow(ratio_ / kFirstDensity, static_cast<double>(done) / static_cast<double>(warm_up_));
  }
  bool find_threshold(std::span<const float> values, double density, double wanted) {
    const auto taken =
        std::max(kLeastSample, static_cast<std::size_t>(kSampleShare * static_cast<double>(values.size())));
    if (taken >= values.size()) return false;
    sample_.draw(values, taken);
    least_ = sample_.upper_quantile(density);
    for (int i = 0; i <= kAdjustments && least_ > 0; ++i) {
      const auto found = static_cast<double>(count_from(values, least_));
      if (found > kTooMany * wanted) return false;
      if (found >= kTooFew * wanted) return true;
      least_ = key_of(std::bit_cast<float>(least_) * static_cast<float>(kTooFew));
    }
    return false;
  }
  std::size_t count_from(std::span<const float> values, std::uint32_t key) {
    // Nothing lies strictly between a key and itself.
    return kernels::count_bracket(values, key, key, room_).at_least_low;
  }

  double ratio_;
  std::int64_t warm_up_;
  bool exact_ = true;
  std::uint32_t least_ = 1;  ///< smallest key that is kept, unless exact_
  MagnitudeSample sample_;
  Selector selector_;
  std::vector<std::uint32_t> room_ = std::vector<std::uint32_t>(8192);
};

constexpr Key kKeys[] = {
    {"ratio", "0.001", "share of the elements that is kept, in (0, 1]; 1 is momentum SGD, uncompressed"},
    {"momentum", "0.9", "momentum factor, 0 to 0.9999"},
    {"clip", "0",
     "largest norm of the tensor's gradient, which each of n ranks clips to 1/sqrt(n) of it; 0 clips nothing"},
    {"nesterov", "off", "momentum after Nesterov: on or off"},
    {"masking", "on", "what is sent loses its momentum: on or off"},
    {"warmup", "0", "calls in which the share falls from a quarter to ratio, 0 to 1000000000"},
    kValuesKey,
    kIndicesKey,
};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape& shape) {
  MomentumRule rule;
  rule.momentum = static_cast<float>(options.real("momentum", 0, 0.9999));
  rule.clip = options.real("clip", 0, 1e38);
  rule.nesterov = options.flag("nesterov");
  rule.masking = options.flag("masking");
  const double ratio = options.real_above("ratio", 0, 1);
  SparseMethod method{.name = "dgc.1",
                      .coders = {read_values(options), read_indices(options)},
                      .selection = std::make_unique<DgcSelection>(ratio, options.integer("warmup", 0, 1000000000))};
  return std::make_unique<MomentumUnion>(std::move(method), rule, shape.count());
}

}  // namespace

CodecEntry dgc_entry() noexcept {
  return {.name = "dgc",
          .summary = "the largest values of the gradient's momentum, which what is sent loses",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make};
}

}  // namespace gossamer
