#include <algorithm>
#include <limits>
#include <numeric>

#include "compress/count_sketch.hpp"
#include "compress/entries.hpp"
#include "compress/positions.hpp"

namespace gossamer {
namespace {

struct SketchSize {
  std::size_t rows = 0;
  std::size_t columns = 0;     ///< 0: no sketch, every element is a candidate
  std::size_t candidates = 0;  ///< elements whose exact values are exchanged
  std::size_t kept = 0;        ///< k
};

/// SketchedSGD (Ivkin, Rothchild, Ullah, Braverman, Stoica, Arora, "Communication-efficient distributed SGD with
/// sketching", NeurIPS 2019). Round 0 sums the ranks' count-sketches; the elements with the largest estimates are the
/// candidates, the same on all ranks; round 1 sums their exact values, of which the k largest are the result.
///
/// Hash functions are drawn anew for each call, so that elements that collide once do not do so for ever.
class Sketch final : public LinearCodec, public OwnContribution {
 public:
  Sketch(const SketchSize& size, std::size_t count)
      : size_(size),
        sketch_(size.rows, size.columns, size.columns == 0 ? 0 : count),
        likely_(size.columns == 0 ? 0 : size.candidates),
        largest_(size.kept) {
    candidates_.elements().resize(size.candidates);
    std::iota(candidates_.elements().begin(), candidates_.elements().end(), std::size_t{0});
    kept_.elements().reserve(size.kept);
    sums_.reserve(size.kept);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "sketch.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}
  [[nodiscard]] int rounds() const noexcept override { return 2; }
  [[nodiscard]] std::size_t round_count(int round) const noexcept override {
    return round == 0 ? sketch_.cells().size() : size_.candidates;
  }
  [[nodiscard]] std::string_view wire() const noexcept override { return "identity"; }

  void begin(Chunk tensor, const StepContext& context) override {
    tensor_ = tensor.floats();
    if (size_.columns == 0) return;
    sketch_.draw(context.shared);
    sketch_.sketch(tensor_);
  }
  void project(int round, std::size_t offset, std::span<float> out) override {
    if (round == 0) {
      std::ranges::copy(sketch_.cells().subspan(offset, out.size()), out.begin());
      return;
    }
    // Fewer candidates than places: there were fewer estimates that are not zero.
    const std::size_t used = std::clamp(candidates_.elements().size(), offset, offset + out.size()) - offset;
    gather(candidates_, tensor_, 1, offset, out.first(used));
    std::ranges::fill(out.subspan(used), 0.0F);
  }
  void absorb(int round, std::span<const float> sum) override { round == 0 ? find_candidates(sum) : keep_largest(sum); }
  void reconstruct(std::size_t offset, std::span<float> out) const override { scatter(kept_, sums_, offset, out); }
  void contribution(std::size_t offset, std::span<const float> values, std::span<float> out) const override {
    keep(kept_, values, 1, offset, out);
  }

 private:
  void find_candidates(std::span<const float> sum) {
    if (size_.columns == 0) return;
    std::ranges::copy(sum, sketch_.cells().begin());
    likely_.clear();
    for (std::size_t block = 0; block < sketch_.blocks(); ++block) {
      likely_.offer(sketch_.estimate(block), block * CountSketch::kBlock);
    }
    likely_.take(candidates_.elements());
  }
  void keep_largest(std::span<const float> sum) {
    largest_.clear();
    largest_.offer(sum, 0);
    largest_.take(kept_.elements());
    sums_.clear();
    for (std::size_t& element : kept_.elements()) {
      sums_.push_back(sum[element]);
      element = candidates_.elements()[element];
    }
  }

  SketchSize size_;
  CountSketch sketch_;
  LargestOfStream likely_;
  LargestOfStream largest_;
  std::span<const float> tensor_;
  ElementList candidates_;
  ElementList kept_;
  std::vector<float> sums_;  ///< of what is kept
};

constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

constexpr std::array kKeys = {
    Key{"k", "0", "elements that are kept; 0: one in a thousand"},
    Key{"rows", "5", "rows of the sketch, 1, 3, 5 … 15: estimates are medians of them"},
    Key{"columns", "0", "columns of the sketch; 0: ten for each element that is kept"},
    Key{"oversample", "4", "candidates for each element that is kept, 1 to 100: their exact values are exchanged"},
};

std::unique_ptr<TensorCodec> make_sketch(const Options& options, const Shape& shape) {
  const std::size_t count = shape.count();
  const auto k = static_cast<std::size_t>(options.integer("k", 0, kMost));
  const auto rows = static_cast<std::size_t>(options.integer("rows", 1, 15));
  const auto columns = static_cast<std::size_t>(options.integer("columns", 0, kMost));
  const auto oversample = static_cast<std::size_t>(options.integer("oversample", 1, 100));
  if (rows % 2 == 0) fail(Status::argument, "codec sketch: rows=", rows, " has no median row; valid: 1, 3, 5 … 15");
  SketchSize size{rows, 0, count, std::min(k == 0 ? chosen_count(0.001, count) : k, count)};
  const std::size_t wide = columns == 0 ? 10 * size.kept : columns;
  // A tensor that is no larger than its sketch is all candidates.
  if (oversample * size.kept + rows * wide < count) {
    size.columns = wide;
    size.candidates = oversample * size.kept;
  }
  return std::make_unique<Sketch>(size, count);
}

}  // namespace

CodecEntry sketch_entry() noexcept {
  return {.name = "sketch",
          .summary = "count-sketches are summed, then the exact values of what they show to be large (SketchedSGD)",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make_sketch};
}

}  // namespace gossamer
