#include "compress/entries.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

/// Guess of the kept share: only the data knows it.
constexpr double kTypicalShare = 0.01;

/// |x| > v, in the units of the caller's input.
class ThresholdSelection final : public Selection {
 public:
  explicit ThresholdSelection(double threshold) noexcept : threshold_(threshold) {}

  [[nodiscard]] double share() const noexcept override { return kTypicalShare; }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void survey(Chunk, const StepContext& context) override {
    bound_ = key_of(static_cast<float>(threshold_ * static_cast<double>(context.input_scale)));
  }
  void pick(Chunk run, SparseVector& out) override { pick_above(run.floats(), bound_, 0, out); }
  void reset() override { bound_ = 0; }

 private:
  double threshold_;
  std::uint32_t bound_ = 0;
};

constexpr Key kKeys[] = {
    {"v", "0.01", "values of larger magnitude are kept, in the units of the input; 0 to 1e38, 0 keeps all but zeros"},
    kValuesKey,
    kIndicesKey,
    merge_key("union"),
};

/// Choosing again is no way to send less: what exceeds the threshold stays.
constexpr Alternative kWays[] = {kMergeWays[0]};

std::unique_ptr<TensorCodec> make(const Options& options, const Shape&) {
  return make_sparse({.name = "threshold.1",
                      .coders = {read_values(options), read_indices(options)},
                      .selection = std::make_unique<ThresholdSelection>(options.real("v", 0, 1e38))},
                     read_reselect(options));
}

}  // namespace

CodecEntry threshold_entry() noexcept {
  return {.name = "threshold",
          .summary = "the values beyond a fixed magnitude with their positions; what is kept back stays below it",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .alternatives = kWays,
          .make = make};
}

}  // namespace gossamer
