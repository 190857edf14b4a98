#include <algorithm>
#include <array>
#include <vector>

#include "compress/entries.hpp"
#include "compress/low_rank.hpp"
#include "compress/orthonormal.hpp"
#include "compress/subspace.hpp"
#include "compress/thin_products.hpp"
#include "compress/wire.hpp"

namespace gossamer {
namespace {

// Slices that the basis is taken from, evenly spread: more cost time and change little.
constexpr std::size_t kSample = 16384;

/// GradiVeQ (Yu, Lin, Narra, Li, Li, Kim, Schwing, Annavaram, Avestimehr, "GradiVeQ: vector quantization for
/// bandwidth-efficient gradient aggregation in distributed CNN training", NeurIPS 2018).
///
/// The tensor is cut into slices of K values, the rows of a matrix M. All ranks hold the same orthonormal U (K × d),
/// and one round sums M U; the ranks agree on (Σ M U) Uᵀ. Every so many calls, the first among them, the tensor is
/// exchanged as it is, and U becomes what its slices have in common: their leading principal directions. What is left
/// of the tensor after the last whole slice travels as it is.
class GradiVeq final : public LinearCodec, public Learner {
 public:
  struct Settings {
    std::size_t slice;
    std::size_t dims;
    std::int64_t refresh;
    std::string_view wire;
  };

  GradiVeq(std::size_t count, const Settings& settings)
      : sides_{count / settings.slice, settings.slice},
        dims_(std::min(settings.dims, sides_.rows)),
        settings_(settings),
        products_(sides_.rows, sides_.cols, dims_),
        memory_(dims_ * sides_.cols + 1),
        p_(dims_ * sides_.rows),
        rest_(count - sides_.count()) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "gradiveq.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return memory_; }
  void reset() override { std::fill(memory_.begin(), memory_.end(), 0.0F); }
  [[nodiscard]] int rounds() const noexcept override { return 1; }
  [[nodiscard]] std::size_t round_count(int) const noexcept override { return p_.size() + rest_.size(); }
  [[nodiscard]] std::string_view wire() const noexcept override { return settings_.wire; }
  [[nodiscard]] bool dense() const noexcept override { return !(memory_.back() >= 1); }
  void learn(std::span<const float> sum) override {
    const std::size_t step = std::max<std::size_t>(1, sides_.rows / kSample);
    SharedDraws draws(shared_, 0);
    subspace_.find({sum.data(), sides_.rows / step, sides_.cols, step * sides_.cols}, basis(), draws);
    memory_.back() = static_cast<float>(settings_.refresh - 1);
  }

  void begin(Chunk tensor, const StepContext& context) override {
    products_.set(tensor.floats().data());
    rest_of_tensor_ = tensor.floats().data() + sides_.count();
    shared_ = context.shared;
  }
  void project(int, std::size_t offset, std::span<float> out) override {
    const std::size_t head = std::min(out.size(), p_.size() - std::min(offset, p_.size()));
    if (head > 0) products_.times(products_.right(basis()), offset, out.first(head));
    const std::span<float> tail = out.subspan(head);
    if (!tail.empty()) std::copy_n(rest_of_tensor_ + (offset + head - p_.size()), tail.size(), tail.data());
  }
  void absorb(int, std::span<const float> sum) override {
    transpose(sum.first(p_.size()), dims_, p_);
    std::ranges::copy(sum.subspan(p_.size()), rest_.begin());
    memory_.back() -= 1;
  }
  void reconstruct(std::size_t offset, std::span<float> out) const override {
    const std::size_t head = std::min(out.size(), sides_.count() - std::min(offset, sides_.count()));
    const skinny::Factor u = products_.right(std::span(memory_).first(memory_.size() - 1));
    products_.outer(products_.left(p_), u, offset, out.first(head));
    const std::span<float> tail = out.subspan(head);
    if (!tail.empty()) std::copy_n(rest_.data() + (offset + head - sides_.count()), tail.size(), tail.data());
  }

 private:
  [[nodiscard]] std::span<float> basis() noexcept { return std::span(memory_).first(memory_.size() - 1); }

  low_rank::Sides sides_;  ///< slices by their length
  std::size_t dims_;
  Settings settings_;
  ThinProducts products_;
  LeadingSubspace subspace_;
  RandomStream shared_;
  const float* rest_of_tensor_ = nullptr;
  std::vector<float> memory_;  ///< dims × slice of U, and how many calls are left before the next dense one
  std::vector<float> p_;       ///< dims × slices
  std::vector<float> rest_;
};

constexpr std::array kKeys = {
    Key{"slice", "64", "values in a slice, 2 to 4096"},
    Key{"dims", "8", "values that are sent for a slice, 1 to `slice`"},
    Key{"refresh", "100", "every so many calls exchange the tensor as it is and renew the basis, 1 to 1048576"},
    kWireKey,
};

std::unique_ptr<TensorCodec> make_gradiveq(const Options& options, const Shape& shape) {
  GradiVeq::Settings settings{};
  settings.slice = static_cast<std::size_t>(options.integer("slice", 2, 4096));
  settings.dims = static_cast<std::size_t>(options.integer("dims", 1, static_cast<std::int64_t>(settings.slice)));
  settings.refresh = options.integer("refresh", 1, 1 << 20);
  settings.wire = wire_of(options);
  return std::make_unique<GradiVeq>(shape.count(), settings);
}

}  // namespace

CodecEntry gradiveq_entry() noexcept {
  return {.name = "gradiveq",
          .summary = "slices in a shared basis of their principal directions, summed exactly (GradiVeQ)",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make_gradiveq};
}

}  // namespace gossamer
