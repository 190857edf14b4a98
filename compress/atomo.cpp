#include <Eigen/Eigenvalues>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "compress/atoms.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"
#include "compress/low_rank.hpp"
#include "compress/orthonormal.hpp"
#include "compress/skinny.hpp"
#include "compress/sparse_payload.hpp"
#include "lib/base/error.hpp"

namespace gossamer {
namespace {

constexpr double kLargest = std::numeric_limits<float>::max();

/// The budget of `atoms` atoms: at least one, so that short chunks have a voice too.
double budget_of(double share, std::size_t atoms) noexcept {
  return std::max(1.0, share * static_cast<double>(atoms));
}

/// Atoms are single values; the payload is a sparse one (sparse_payload.hpp).
class EntryAtomo final : public Codec {
 public:
  explicit EntryAtomo(double share) noexcept : share_(share) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "atomo.2"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override {
    return max_sparse_payload(ValueCoder::fp32, count);
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override {
    const double entry = sizeof(float) + (2 - std::log2(share_)) / 8;
    const double entries = std::min(budget_of(share_, count), static_cast<double>(count));
    return std::min(kSparseHeaderBytes + static_cast<std::size_t>(entries * entry), max_payload(count));
  }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext& context) override { own_ = context.own; }

  Bytes encode(Chunk chunk, MutableBytes slot) override {
    const std::span<const float> values = chunk.floats();
    const double bound = certain_weight(values, budget_of(share_, values.size()));
    // What would go as ±bound has no such float.
    if (bound > kLargest) return write_dense(values, ValueCoder::fp32, slot);
    chosen_.clear();
    append_proportional(chunk, static_cast<float>(bound), own_, chosen_);
    return write_sparse(chosen_, values.size(), {}, slot);
  }
  void accumulate(Bytes payload, float scale, Chunk out) const override {
    accumulate_payload(SparsePayload::parse(payload, out.count), scale, out.floats(), scratch_);
  }

 private:
  double share_;
  RandomStream own_;
  SparseVector chosen_;
  mutable SparseVector scratch_;
};

/// Atoms are singular triplets of blocks of 32 rows.
///
/// The left singular vectors u are the eigenvectors of the block's Gram matrix; of those that go, u and Mᵀ u / p are
/// sent. All u together are an orthonormal basis, so that Σ u uᵀ M is the block however well the singular values are
/// known, and the estimate unbiased.
///
/// Payload: u64 elements, u64 cols; the whole rows as blocks (factors.hpp); what is left of a row, as it is.
class SpectralAtomo final : public Codec, public Grained {
 public:
  SpectralAtomo(std::size_t cols, double share) : cols_(cols), share_(share) {
    left_.resize(kBlockRows * kBlockRows);
    right_.resize(kBlockRows * cols);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "atomo.2"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}
  [[nodiscard]] std::size_t grain() const noexcept override { return cols_; }
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override {
    return kHeader + (count / cols_ + kBlockRows - 1) / kBlockRows * sizeof(std::uint32_t) + count * sizeof(float);
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override {
    const std::size_t blocks = (count / cols_ + kBlockRows - 1) / kBlockRows;
    const double atoms = std::min(budget_of(share_, kBlockRows), static_cast<double>(kBlockRows));
    const auto block = static_cast<std::size_t>(atoms * static_cast<double>((kBlockRows + cols_) * sizeof(float)));
    return std::min(kHeader + blocks * (sizeof(std::uint32_t) + block), max_payload(count));
  }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext& context) override { own_ = context.own; }
  Bytes encode(Chunk chunk, MutableBytes slot) override;
  void accumulate(Bytes payload, float scale, Chunk out) const override;

 private:
  static constexpr std::size_t kHeader = 2 * sizeof(std::uint64_t);
  static constexpr std::size_t kBlockRows = 32;
  // Of bounded size, so that nothing is allocated.
  using Gram = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor, kBlockRows, kBlockRows>;

  void encode_block(skinny::Matrix<const float> block, std::size_t first_element, ByteWriter& writer);
  /// Draws atoms into left_ and right_; how many, or none if one is beyond the range of floats.
  std::optional<std::size_t> draw_atoms(skinny::Matrix<const float> block, std::size_t first_element);

  std::size_t cols_;
  double share_;
  RandomStream own_;
  Eigen::SelfAdjointEigenSolver<Gram> eigen_;
  std::vector<float> left_;   ///< chosen × rows
  std::vector<float> right_;  ///< chosen × cols
  mutable low_rank::BlockReader reader_;
};

std::optional<std::size_t> SpectralAtomo::draw_atoms(skinny::Matrix<const float> block, std::size_t first_element) {
  const auto rows = static_cast<Eigen::Index>(block.rows);
  Gram gram = Gram::Zero(rows, rows);
  const auto row_of = [&](Eigen::Index i) {
    return std::span(block.data + static_cast<std::size_t>(i) * cols_, cols_);
  };
  for (Eigen::Index i = 0; i < rows; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) gram(i, j) = gram(j, i) = dot(row_of(i), row_of(j));
  }
  eigen_.compute(gram);
  std::array<double, kBlockRows> singular{};
  for (Eigen::Index k = 0; k < rows; ++k) {
    singular[static_cast<std::size_t>(k)] = std::sqrt(std::max(eigen_.eigenvalues()[k], 0.0));
  }
  const std::span<const double> weights = std::span(singular).first(block.rows);
  const double bound = certain_weight(weights, budget_of(share_, std::min(block.rows, cols_)));
  std::array<std::uint32_t, kBlockRows> words{};
  kernels::random_words(own_, first_element, std::span(words).first(block.rows));
  std::size_t chosen = 0;
  for (std::size_t k = 0; k < block.rows; ++k) {
    if (!kernels::goes(weights[k], bound, words[k])) continue;
    if (std::max(weights[k], bound) > kLargest) return std::nullopt;
    float* u = left_.data() + chosen * block.rows;
    for (std::size_t i = 0; i < block.rows; ++i) {
      u[i] = static_cast<float>(eigen_.eigenvectors()(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(k)));
    }
    const std::span<float> right = std::span(right_).subspan(chosen * cols_, cols_);
    skinny::project_columns(block, {u, 1, block.rows}, {right.data(), 1, cols_, cols_});
    const auto inverse = static_cast<float>(std::max(1.0, bound / weights[k]));
    for (float& value : right) value *= inverse;
    ++chosen;
  }
  return chosen;
}

void SpectralAtomo::encode_block(skinny::Matrix<const float> block, std::size_t first_element, ByteWriter& writer) {
  const std::optional<std::size_t> chosen = draw_atoms(block, first_element);
  if (!chosen) return low_rank::put_values(writer, {block.data, block.rows * cols_});
  const std::span<const float> left = std::span(left_).first(*chosen * block.rows);
  const std::span<const float> right = std::span(right_).first(*chosen * cols_);
  if (*chosen == 0 || low_rank::worthwhile({block.rows, cols_}, *chosen)) {
    return low_rank::put_factors(writer, *chosen, left, right);
  }
  // What was drawn, multiplied out: the block itself in its place would depend on the draw and bias the estimate.
  writer.put(low_rank::kValues);
  auto* values = reinterpret_cast<float*>(writer.take(block.rows * cols_ * sizeof(float)).data());
  skinny::reconstruct({left.data(), *chosen, block.rows}, {right.data(), *chosen, cols_},
                      {values, block.rows, cols_, cols_});
}

Bytes SpectralAtomo::encode(Chunk chunk, MutableBytes slot) {
  ByteWriter writer(slot);
  writer.put(std::uint64_t{chunk.count});
  writer.put(std::uint64_t{cols_});
  const std::size_t rows = chunk.count / cols_;
  for (std::size_t row = 0; row < rows; row += kBlockRows) {
    const std::size_t first = row * cols_;
    encode_block({chunk.floats().data() + first, std::min(kBlockRows, rows - row), cols_, cols_}, chunk.offset + first,
                 writer);
  }
  writer.put_bytes(std::as_bytes(chunk.floats().subspan(rows * cols_)));
  return writer.written();
}

void SpectralAtomo::accumulate(Bytes payload, float scale, Chunk out) const {
  ByteReader reader(payload);
  const auto count = reader.get<std::uint64_t>();
  const auto cols = reader.get<std::uint64_t>();
  if (count != out.count || cols != cols_) {
    fail(Status::corrupt, "atomo payload is of ", count, " values in rows of ", cols, "; ", out.count, " in rows of ",
         cols_, " were expected");
  }
  const std::size_t rows = out.count / cols_;
  for (std::size_t row = 0; row < rows; row += kBlockRows) {
    const low_rank::Sides sides{std::min(kBlockRows, rows - row), cols_};
    reader_.accumulate(reader, sides, scale, out.floats().subspan(row * cols_, sides.count()));
  }
  const std::span<float> rest = out.floats().subspan(rows * cols_);
  const Bytes bytes = reader.take(rest.size_bytes());
  reader.expect_end();
  low_rank::add_values(bytes, scale, rest);
}

constexpr std::array kKeys = {
    Key{"budget", "0.05", "share of the atoms that is sent on average, in (0, 1]; at least one of a chunk (a block)"},
    Key{"basis", "entry", "what atoms are: entry, single values, or svd, singular triplets of blocks of 32 rows"},
};

std::unique_ptr<TensorCodec> make_atomo(const Options& options, const Shape& shape) {
  const double share = options.real_above("budget", 0, 1);
  if (options.choice("basis", {"entry", "svd"}) == 0) return std::make_unique<EntryAtomo>(share);
  constexpr std::size_t kRowOfVector = 64;  // a tensor of one dimension is cut into rows of so many
  const std::size_t cols = shape.dims.size() < 2 ? kRowOfVector : low_rank::sides_of(shape).cols;
  return std::make_unique<SpectralAtomo>(std::max<std::size_t>(cols, 1), share);
}

}  // namespace

CodecEntry atomo_entry() noexcept {
  return {.name = "atomo",
          .summary = "few values or singular triplets, drawn without bias at least variance (ATOMO)",
          .error_feedback = false,
          .error = 10,  // about 0.8 / sqrt(budget), and more of a sum of such draws
          .keys = kKeys,
          .make = make_atomo};
}

}  // namespace gossamer
