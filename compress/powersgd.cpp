#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "compress/entries.hpp"
#include "compress/orthonormal.hpp"
#include "compress/skinny.hpp"

namespace gossamer {
namespace {

/// PowerSGD (Vogels, Karimireddy, Jaggi, "PowerSGD: practical low-rank gradient compression for distributed
/// optimization", NeurIPS 2019): one step of subspace iteration per call, warm-started from the call before.
///
/// The tensor is a matrix M of rows_ × cols_: its first dimension by all others. Round 0 sums P = M Q (rows_ × rank_),
/// round 1 sums Mᵀ P̂ (cols_ × rank_) with P̂ an orthonormal basis of the columns of P; the ranks agree on P̂ (Σ Mᵀ P̂)ᵀ.
/// Both vectors are row-major. q_ holds Q by columns and is what outlives a call: the last sum, normalised when the
/// next call begins, so that columns that are zero or have become dependent, and with them a tensor whose gradient was
/// zero for a while, start afresh.
///
/// Q and P̂ are orthonormal, so no intermediate exceeds the sum of the ranks' Frobenius norms: below 3.4e38 nothing
/// overflows (65504 with wire=fp16). A NaN or Inf reaches the result of its own call and nothing after it.
class PowerSgd final : public LinearCodec {
 public:
  PowerSgd(std::size_t rows, std::size_t cols, std::size_t rank, std::string_view wire, bool warm);

  [[nodiscard]] std::string_view name() const noexcept override { return "powersgd.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return warm_ ? std::span<float>(q_) : std::span<float>(); }
  void reset() override { std::fill(q_.begin(), q_.end(), 0.0F); }
  [[nodiscard]] int rounds() const noexcept override { return 2; }
  [[nodiscard]] std::size_t round_count(int round) const noexcept override {
    return (round == 0 ? rows_ : cols_) * rank_;
  }
  [[nodiscard]] std::string_view wire() const noexcept override { return wire_; }
  void begin(Chunk tensor, const StepContext& context) override;
  void project(int round, std::size_t offset, std::span<float> out) override;
  void absorb(int round, std::span<const float> sum) override;
  void reconstruct(std::size_t offset, std::span<float> out) const override;

 private:
  void project_onto_q(std::size_t offset, std::span<float> out);
  void project_onto_p(std::size_t offset, std::span<float> out);
  void reconstruct_row(std::size_t row, std::size_t col, std::span<float> out) const;
  [[nodiscard]] skinny::Factor p(std::size_t row) const noexcept { return {p_.data() + row, rank_, rows_}; }
  [[nodiscard]] skinny::Factor q(std::size_t col) const noexcept { return {q_.data() + col, rank_, cols_}; }

  std::size_t rows_, cols_, rank_;
  std::string_view wire_;
  bool warm_;
  RandomStream shared_;
  skinny::Matrix<const float> matrix_;
  std::vector<float> q_;    ///< rank_ × cols_; zero until the first call
  std::vector<float> p_;    ///< rank_ × rows_
  std::vector<float> row_;  ///< rank_, one row of P when only part of it is asked for
  std::size_t sums_width_;
  std::vector<float> sums_;  ///< rank_ × sums_width_, a block of Mᵀ P̂ by columns
};

// A block of sums_ stays in the second-level cache while the matrix streams by.
constexpr std::size_t kSumsFloats = std::size_t{1} << 17;
// Rows of M that are added up before the sum joins those of the rows above: bounds the error of tall matrices.
constexpr std::size_t kSumsRows = 1024;

PowerSgd::PowerSgd(std::size_t rows, std::size_t cols, std::size_t rank, std::string_view wire, bool warm)
    : rows_(rows),
      cols_(cols),
      rank_(rank),
      wire_(wire),
      warm_(warm),
      q_(rank * cols),
      p_(rank * rows),
      row_(rank),
      sums_width_(std::min(cols, std::max<std::size_t>(kSumsFloats / std::max<std::size_t>(rank, 1), 64))),
      sums_(rank * sums_width_) {}

/// columns(k, i) = rows(i, k)
void transpose(std::span<const float> rows, std::size_t rank, std::span<float> columns) {
  const std::size_t count = rank == 0 ? 0 : rows.size() / rank;
  for (std::size_t k = 0; k < rank; ++k) {
    for (std::size_t i = 0; i < count; ++i) columns[k * count + i] = rows[i * rank + k];
  }
}

void PowerSgd::begin(Chunk tensor, const StepContext& context) {
  matrix_ = {tensor.floats().data(), rows_, cols_, cols_};
  shared_ = context.shared;
  if (!warm_) reset();
  SharedDraws draws(shared_, 0);
  orthonormalise(q_, cols_, draws);
}

void PowerSgd::project(int round, std::size_t offset, std::span<float> out) {
  if (out.empty()) return;
  round == 0 ? project_onto_q(offset, out) : project_onto_p(offset, out);
}

void PowerSgd::project_onto_q(std::size_t offset, std::span<float> out) {
  while (!out.empty()) {
    const std::size_t row = offset / rank_;
    const std::size_t skip = offset % rank_;
    std::size_t count = out.size() / rank_ * rank_;
    if (skip == 0 && count > 0) {
      skinny::project_rows(matrix_.block(row, 0, count / rank_, cols_), q(0), out.data());
    } else {
      count = std::min(out.size(), rank_ - skip);
      skinny::project_rows(matrix_.block(row, 0, 1, cols_), q(0), row_.data());
      std::copy_n(row_.data() + skip, count, out.data());
    }
    offset += count;
    out = out.subspan(count);
  }
}

void PowerSgd::project_onto_p(std::size_t offset, std::span<float> out) {
  const std::size_t end = offset + out.size();
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t first = offset; first < end;) {
    const std::size_t col = first / rank_;
    const std::size_t cols = std::min(sums_width_, (end - 1) / rank_ + 1 - col);
    const std::size_t last = std::min(end, (col + cols) * rank_);
    for (std::size_t row = 0; row < rows_; row += kSumsRows) {
      const std::size_t rows = std::min(kSumsRows, rows_ - row);
      skinny::project_columns(matrix_.block(row, col, rows, cols), p(row), {sums_.data(), rank_, cols, sums_width_});
      for (std::size_t k = 0; k < rank_; ++k) {
        const float* column = sums_.data() + k * sums_width_;
        const std::size_t from = col * rank_ + k >= first ? 0 : 1;
        for (std::size_t j = from; (col + j) * rank_ + k < last; ++j) {
          out[(col + j) * rank_ + k - offset] += column[j];
        }
      }
    }
    first = last;
  }
}

void PowerSgd::absorb(int round, std::span<const float> sum) {
  if (round == 1) return transpose(sum, rank_, q_);
  transpose(sum, rank_, p_);
  SharedDraws draws(shared_, 1);
  orthonormalise(p_, rows_, draws);
}

void PowerSgd::reconstruct_row(std::size_t row, std::size_t col, std::span<float> out) const {
  skinny::reconstruct(p(row), q(col), {out.data(), 1, out.size(), cols_});
}

void PowerSgd::reconstruct(std::size_t offset, std::span<float> out) const {
  if (out.empty()) return;
  std::size_t row = offset / cols_;
  if (const std::size_t col = offset % cols_; col != 0) {
    const std::size_t count = std::min(out.size(), cols_ - col);
    reconstruct_row(row++, col, out.first(count));
    out = out.subspan(count);
  }
  const std::size_t rows = out.size() / cols_;
  if (rows > 0) skinny::reconstruct(p(row), q(0), {out.data(), rows, cols_, cols_});
  out = out.subspan(rows * cols_);
  if (!out.empty()) reconstruct_row(row + rows, 0, out);
}

constexpr std::array kKeys = {
    Key{"rank", "4", "rank of the approximation: from 1 to the smaller side of the matrix"},
    Key{"wire", "fp32", "type in which the factors travel: fp32, fp16 or bf16"},
    Key{"start", "warm", "each call's subspace: warm, from the call before, or fresh, drawn anew"},
};
constexpr std::array<std::string_view, 3> kWires = {"identity", "fp16", "bf16"};

std::size_t checked_rank(const Options& options, std::size_t rows, std::size_t cols) {
  if (rows == 0 || cols == 0) {
    static_cast<void>(options.integer("rank", 1, std::numeric_limits<std::int32_t>::max()));
    return 0;
  }
  try {
    return static_cast<std::size_t>(options.integer("rank", 1, static_cast<std::int64_t>(std::min(rows, cols))));
  } catch (const Error& error) {
    fail(error.status(), error.what(), ", the smaller side of this tensor's ", rows, " x ", cols, " matrix");
  }
}

std::unique_ptr<TensorCodec> make_powersgd(const Options& options, const Shape& shape) {
  const std::size_t rows = shape.dims.empty() ? 1 : shape.dims.front();
  const std::size_t cols = rows == 0 ? 0 : shape.count() / rows;
  const std::size_t rank = checked_rank(options, rows, cols);
  const std::string_view wire = kWires[options.choice("wire", {"fp32", "fp16", "bf16"})];
  const bool warm = options.choice("start", {"fresh", "warm"}) == 1;
  return std::make_unique<PowerSgd>(rows, cols, rank, wire, warm);
}

}  // namespace

CodecEntry powersgd_entry() noexcept {
  return {.name = "powersgd",
          .summary = "low-rank factors, summed exactly (PowerSGD)",
          .error_feedback = true,
          .needs_matrix = true,
          .error = 1,
          .keys = kKeys,
          .alternatives = {},
          .make = make_powersgd};
}

}  // namespace gossamer
