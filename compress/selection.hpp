#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "compress/codec.hpp"
#include "compress/selector.hpp"
#include "compress/sparse_vector.hpp"

namespace gossamer {

/// Which entries a sparse method keeps, of a tensor or of a partial sum that stands alone.
class Selection {
 public:
  virtual ~Selection() = default;
  /// Share of the elements that is usually kept, above 0. At 1 everything is, and nothing else is asked for.
  [[nodiscard]] virtual double share() const noexcept = 0;
  /// Whether survey() looks at the values.
  [[nodiscard]] virtual bool surveys() const noexcept = 0;
  /// Prepares for the runs of `values`.
  virtual void survey(Chunk values, const StepContext& context) = 0;
  /// Appends the kept entries of `run`, a part of what was surveyed; indices count from the start of the run. A
  /// function of its arguments and survey().
  virtual void pick(Chunk run, SparseVector& out) = 0;
  /// Back to the state of a new object.
  virtual void reset() = 0;
};

/// How many values `ratio` of an element count is: rounded down for whole tensors, to nearest for parts, which would
/// lose half an entry each otherwise; at least one.
enum class KeptCount { down, nearest };

/// The values of largest magnitude, exactly.
class TopKSelection : public Selection {
 public:
  TopKSelection(double ratio, KeptCount rounding) noexcept : ratio_(ratio), rounding_(rounding) {}

  [[nodiscard]] double share() const noexcept override { return ratio_; }
  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void survey(Chunk values, const StepContext&) override {
    const double share = ratio_ * static_cast<double>(values.count);
    const double k = rounding_ == KeptCount::down ? std::floor(share) : std::round(share);
    first_ = values.offset;
    selector_.choose(values.floats(), std::max<std::size_t>(1, static_cast<std::size_t>(k)));
  }
  void pick(Chunk run, SparseVector& out) override { selector_.pick(run.floats(), run.offset - first_, out); }
  void reset() override { selector_.reset(); }
  /// The smallest magnitude of what is kept.
  [[nodiscard]] float smallest() const noexcept { return selector_.smallest(); }

 private:
  double ratio_;
  KeptCount rounding_;
  std::size_t first_ = 0;  ///< element at which what was surveyed starts
  Selector selector_;
};

}  // namespace gossamer
