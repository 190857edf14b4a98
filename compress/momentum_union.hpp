#pragma once

#include <vector>

#include "compress/sparse_codec.hpp"

namespace gossamer {

/// How momentum comes before a selection.
struct MomentumRule {
  float momentum = 0;
  double clip = 0;        ///< largest norm of a gradient, times the root of the number of ranks; 0: any
  bool nesterov = false;  ///< looks one step ahead
  bool masking = true;    ///< what is sent loses its momentum
};

/// A sparse union of what momentum makes of the gradients (Lin et al., ICLR 2018): u = m u + g is compressed in place
/// of g, or m(u + g) + g under Nesterov's rule, where u = m(u + g).
class MomentumUnion final : public SparseUnion, public Conditioner {
 public:
  MomentumUnion(SparseMethod method, const MomentumRule& rule, std::size_t count)
      : SparseUnion(std::move(method)), rule_(rule), momentum_(count) {}

  [[nodiscard]] std::span<float> state() noexcept override { return momentum_; }
  void reset() override;
  void condition(Chunk gradient, const StepContext& context) override;
  Bytes encode(Chunk chunk, MutableBytes slot) override;

 private:
  MomentumRule rule_;
  std::vector<float> momentum_;  ///< u
};

}  // namespace gossamer
