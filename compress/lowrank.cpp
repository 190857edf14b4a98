#include <algorithm>
#include <array>
#include <vector>

#include "compress/entries.hpp"
#include "compress/factors.hpp"
#include "compress/low_rank.hpp"
#include "compress/orthonormal.hpp"
#include "compress/thin_products.hpp"
#include "lib/base/error.hpp"

namespace gossamer {
namespace {

/// PowerSGD's step of subspace iteration (see powersgd.cpp) inside the exchange: every hop takes it on the partial sum
/// of its chunk, whole rows of the matrix, and sends the factors on.
///
/// With P̂ an orthonormal basis for the chunk's columns left by the call before, Q̂ = orthonormal basis of Mᵀ P̂ and
/// P = M Q̂; the chunk is P Q̂ᵀ. P has a row for each row of the matrix, so what chunks leave behind for the next call
/// has its place whatever they are cut into and whatever order they come in. A rank encodes the partial sum of the same
/// ranks in every call, which is what its P belongs to.
///
/// Payload: u64 elements, u64 cols; the whole rows as one block (factors.hpp); what is left of a row, as it is.
class LowRank final : public Codec, public Grained {
 public:
  /// `rank`: 0 when factors would never be shorter.
  LowRank(low_rank::Sides sides, std::size_t rank, bool warm)
      : sides_(sides), rank_(rank), warm_(warm), products_(sides.rows, sides.cols, rank) {
    start_.resize(sides.rows * rank);
    next_.resize(sides.rows * rank);
    left_.resize(sides.rows * rank);
    right_.resize(sides.cols * rank);
    transposed_.resize(std::max(left_.size(), right_.size()));
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "lowrank.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return warm_ ? std::span(next_) : std::span<float>(); }
  void reset() override { std::fill(next_.begin(), next_.end(), 0.0F); }
  [[nodiscard]] std::size_t grain() const noexcept override { return std::max<std::size_t>(sides_.cols, 1); }
  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override {
    const low_rank::Sides block{count / grain(), sides_.cols};
    return kHeader + low_rank::block_bytes(block, rank_or_never()) + count % grain() * sizeof(float);
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override { return max_payload(count); }
  [[nodiscard]] bool surveys() const noexcept override { return false; }
  void begin(Chunk, const StepContext& context) override {
    shared_ = context.shared;
    if (!warm_) reset();
    start_ = next_;
  }
  Bytes encode(Chunk chunk, MutableBytes slot) override;
  void accumulate(Bytes payload, float scale, Chunk out) const override;

 private:
  static constexpr std::size_t kHeader = 2 * sizeof(std::uint64_t);

  [[nodiscard]] std::size_t rank_or_never() const noexcept { return rank_ == 0 ? grain() : rank_; }
  void factorise(std::span<const float> values, std::size_t first_row, std::size_t rows);

  low_rank::Sides sides_;
  std::size_t rank_;
  bool warm_;
  RandomStream shared_;
  ThinProducts products_;
  std::vector<float> start_;  ///< rows × rank: P of the call before
  std::vector<float> next_;   ///< rows × rank: P of this call, for the next
  std::vector<float> left_;   ///< rank × rows of a chunk
  std::vector<float> right_;  ///< rank × cols
  std::vector<float> transposed_;
  mutable low_rank::BlockReader reader_;
};

void LowRank::factorise(std::span<const float> values, std::size_t first_row, std::size_t rows) {
  const std::span<float> left = std::span(left_).first(rank_ * rows);
  products_.set(values.data(), rows);
  SharedDraws draws(shared_, 0);
  transpose(std::span(start_).subspan(first_row * rank_, left.size()), rank_, left);
  orthonormalise(left, rows, draws);
  const std::span<float> q = std::span(transposed_).first(right_.size());
  products_.transposed_times({left.data(), rank_, rows}, 0, q);
  transpose(q, rank_, right_);
  orthonormalise(right_, sides_.cols, draws);
  const std::span<float> p = std::span(next_).subspan(first_row * rank_, left.size());
  products_.times({right_.data(), rank_, sides_.cols}, 0, p);
  transpose(p, rank_, left);
}

Bytes LowRank::encode(Chunk chunk, MutableBytes slot) {
  ByteWriter writer(slot);
  writer.put(std::uint64_t{chunk.count});
  writer.put(std::uint64_t{grain()});
  const low_rank::Sides sides{chunk.count / grain(), sides_.cols};
  const std::span<const float> rows = chunk.floats().first(sides.count());
  if (low_rank::worthwhile(sides, rank_or_never())) {
    factorise(rows, chunk.offset / grain(), sides.rows);
    low_rank::put_factors(writer, rank_, std::span(left_).first(rank_ * sides.rows), right_);
  } else {
    low_rank::put_values(writer, rows);
  }
  writer.put_bytes(std::as_bytes(chunk.floats().subspan(rows.size())));
  return writer.written();
}

void LowRank::accumulate(Bytes payload, float scale, Chunk out) const {
  ByteReader reader(payload);
  const auto count = reader.get<std::uint64_t>();
  const auto cols = reader.get<std::uint64_t>();
  if (count != out.count || cols != grain()) {
    fail(Status::corrupt, "lowrank payload is of ", count, " values in rows of ", cols, "; ", out.count, " in rows of ",
         grain(), " were expected");
  }
  const low_rank::Sides sides{out.count / grain(), sides_.cols};
  const std::span<float> values = out.floats();
  reader_.accumulate(reader, sides, scale, values.first(sides.count()));
  const std::span<float> rest = values.subspan(sides.count());
  const Bytes bytes = reader.take(rest.size_bytes());
  reader.expect_end();
  low_rank::add_values(bytes, scale, rest);
}

constexpr std::array kKeys = {
    Key{"rank", "4", "rank of each chunk's approximation, at least 1; chunks that it would not shorten go as they are"},
    low_rank::kStartKey,
};

std::unique_ptr<TensorCodec> make_lowrank(const Options& options, const Shape& shape) {
  const low_rank::Sides sides = low_rank::sides_of(shape);
  const auto rank = static_cast<std::size_t>(options.integer("rank", 1, std::int64_t{1} << 31));
  const bool shortens = low_rank::worthwhile({sides.rows, sides.cols}, rank);
  return std::make_unique<LowRank>(sides, shortens ? rank : 0, low_rank::is_warm(options));
}

}  // namespace

CodecEntry lowrank_entry() noexcept {
  return {.name = "lowrank",
          .summary = "low-rank factors of every partial sum",
          .error_feedback = true,
          .needs_matrix = true,
          .error = 1,
          .keys = kKeys,
          .make = make_lowrank};
}

}  // namespace gossamer
