#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "compress/entries.hpp"
#include "compress/low_rank.hpp"
#include "compress/orthonormal.hpp"
#include "compress/thin_products.hpp"
#include "compress/wire.hpp"

namespace gossamer {
namespace {

/// Solves with FᵀF + λI, where F has `rank` columns of length 1.
class RidgeSolver {
 public:
  RidgeSolver(std::size_t rank, double lambda) : rank_(rank), lambda_(lambda), lower_(rank * rank), row_(rank) {}

  /// `columns`: the columns of F one after another, each of `length` floats.
  void factorise(std::span<const float> columns, std::size_t length);
  /// solved(k, i) = the i-th of the rank-long `rows`, times (FᵀF + λI)⁻¹.
  void solve_rows(std::span<const float> rows, std::span<float> solved);

 private:
  double& lower(std::size_t i, std::size_t j) { return lower_[i * rank_ + j]; }

  std::size_t rank_;
  double lambda_;
  std::vector<double> lower_;  ///< Cholesky's factor of FᵀF + λI
  std::vector<double> row_;
};

void RidgeSolver::factorise(std::span<const float> columns, std::size_t length) {
  for (std::size_t i = 0; i < rank_; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = dot(columns.subspan(i * length, length), columns.subspan(j * length, length));
      if (i == j) sum += lambda_;
      for (std::size_t k = 0; k < j; ++k) sum -= lower(i, k) * lower(j, k);
      lower(i, j) = i == j ? std::sqrt(std::max(sum, lambda_ / 2)) : sum / lower(j, j);
    }
  }
}

void RidgeSolver::solve_rows(std::span<const float> rows, std::span<float> solved) {
  const std::size_t count = rank_ == 0 ? 0 : rows.size() / rank_;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < rank_; ++k) {
      double sum = static_cast<double>(rows[i * rank_ + k]);
      for (std::size_t j = 0; j < k; ++j) sum -= lower(k, j) * row_[j];
      row_[k] = sum / lower(k, k);
    }
    for (std::size_t k = rank_; k-- > 0;) {
      for (std::size_t j = k + 1; j < rank_; ++j) row_[k] -= lower(j, k) * row_[j];
      row_[k] /= lower(k, k);
      solved[k * count + i] = static_cast<float>(row_[k]);
    }
  }
}

/// GradZip (Cho, Muthusamy, Nemanich, Puri, "GradZip: gradient compression using alternating matrix factorization for
/// large-scale deep learning", NeurIPS 2019 workshop): one step of alternating least squares per call, warm-started.
///
/// P = (Σ M Q)(QᵀQ + λI)⁻¹, then Q' = (Σ Mᵀ P)(PᵀP + λI)⁻¹; the ranks agree on P Q'ᵀ. The columns of Q and P are
/// scaled to length 1 before they are used, so that λ is relative to 1 whatever the gradient's unit, and no sum exceeds
/// the ranks' Frobenius norms; columns without a length are drawn anew. As λ goes to 0, P Q'ᵀ becomes PowerSGD's
/// projection onto the columns of P.
class GradZip final : public LinearCodec {
 public:
  GradZip(low_rank::Sides sides, std::size_t rank, std::string_view wire, double lambda)
      : sides_(sides),
        wire_(wire),
        products_(sides.rows, sides.cols, rank),
        solver_(rank, lambda),
        q_(rank * sides.cols),
        p_(rank * sides.rows) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "gradzip.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return q_; }
  void reset() override { std::fill(q_.begin(), q_.end(), 0.0F); }
  [[nodiscard]] int rounds() const noexcept override { return 2; }
  [[nodiscard]] std::size_t round_count(int round) const noexcept override {
    return round == 0 ? p_.size() : q_.size();
  }
  [[nodiscard]] std::string_view wire() const noexcept override { return wire_; }

  void begin(Chunk tensor, const StepContext& context) override {
    products_.set(tensor.floats().data());
    shared_ = context.shared;
    scale_columns(q_, sides_.cols, 0);
  }
  void project(int round, std::size_t offset, std::span<float> out) override {
    if (out.empty()) return;
    if (round == 0) {
      products_.times(products_.right(q_), offset, out);
    } else {
      products_.transposed_times(products_.left(p_), offset, out);
    }
  }
  void absorb(int round, std::span<const float> sum) override {
    if (round == 0) {
      solver_.factorise(q_, sides_.cols);
      solver_.solve_rows(sum, p_);
      scale_columns(p_, sides_.rows, 1);
    } else {
      solver_.factorise(p_, sides_.rows);
      solver_.solve_rows(sum, q_);
    }
  }
  void reconstruct(std::size_t offset, std::span<float> out) const override {
    products_.outer(products_.left(p_), products_.right(q_), offset, out);
  }

 private:
  void scale_columns(std::span<float> columns, std::size_t length, std::uint32_t purpose) {
    SharedDraws draws(shared_, purpose);
    for (std::size_t at = 0; at < columns.size(); at += length) {
      orthonormalise(columns.subspan(at, length), length, draws);
    }
  }

  low_rank::Sides sides_;
  std::string_view wire_;
  RandomStream shared_;
  ThinProducts products_;
  RidgeSolver solver_;
  std::vector<float> q_;  ///< rank × cols; zero until the first call
  std::vector<float> p_;  ///< rank × rows
};

constexpr std::array kKeys = {
    low_rank::kRankKey,
    kWireKey,
    Key{"lambda", "1e-4",
        "weight of the factors' lengths beside the error, 1e-9 to 1; relative to columns of length 1"},
};

std::unique_ptr<TensorCodec> make_gradzip(const Options& options, const Shape& shape) {
  const low_rank::Sides sides = low_rank::sides_of(shape);
  const std::size_t rank = low_rank::rank_of(options, sides);
  return std::make_unique<GradZip>(sides, rank, wire_of(options), options.real("lambda", 1e-9, 1));
}

}  // namespace

CodecEntry gradzip_entry() noexcept {
  return {.name = "gradzip",
          .summary = "low-rank factors by alternating least squares, summed exactly (GradZip)",
          .error_feedback = true,
          .needs_matrix = true,
          .error = 1,
          .keys = kKeys,
          .make = make_gradzip};
}

}  // namespace gossamer
