#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "compress/bit_stream.hpp"
#include "compress/dense.hpp"
#include "compress/entries.hpp"
#include "compress/indices.hpp"
#include "compress/kernels.hpp"
#include "compress/minmax_sketch.hpp"
#include "compress/selector.hpp"
#include "compress/sparse_codec.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kGroups = 8;
constexpr std::uint8_t kAsFloats = 0;
constexpr std::uint8_t kSketched = 1;
constexpr std::size_t kGroupHeader = sizeof(std::uint32_t) + 1 + sizeof(std::uint32_t);

constexpr std::array kKeys = {
    kRatioKey,
    Key{"buckets", "256", "magnitudes that a value may take, 8 to 1024, a multiple of 8"},
};

std::size_t bit_bytes(std::size_t count, unsigned bits) noexcept {
  return (count * bits + 7) / 8;
}

/// Body: u8 form. As floats: the values. Sketched: u16 buckets, their magnitudes, ascending; then for each of 8 groups
/// of buckets u32 members, u8 index coder, u32 bytes of positions, the positions, a sign bit for each member, and the
/// cells of the group's sketch, each as wide as a bucket's number in its group.
class SketchMl final : public DenseCodec {
 public:
  SketchMl(double ratio, std::size_t buckets) : DenseCodec("sketchml.1"), ratio_(ratio), per_group_(buckets / kGroups) {
    magnitudes_.resize(buckets);
  }

 private:
  struct Group {
    SparseVector members;
    std::vector<std::uint8_t> numbers;  ///< of the members' buckets, in the group
    IndexCoder coder = IndexCoder::raw;
    std::size_t position_bytes = 0;
  };

  [[nodiscard]] unsigned cell_bits() const noexcept {
    return static_cast<unsigned>(std::bit_width(std::max<std::size_t>(per_group_, 2) - 1));
  }
  [[nodiscard]] std::size_t body_bytes(std::size_t count) const noexcept override { return 1 + count * sizeof(float); }
  [[nodiscard]] std::size_t typical_body(std::size_t count) const noexcept override {
    const double entry = (4.5 + std::log2(1 / ratio_) + 1 + 0.6 * cell_bits()) / 8;  // position, group, sign, cells
    const auto entries = static_cast<std::size_t>(ratio_ * static_cast<double>(count) * entry);
    return std::min(body_bytes(count), 3 + magnitudes_.size() * sizeof(float) + kGroups * kGroupHeader + entries);
  }

  void encode_body(Chunk chunk, ByteWriter& body) override;
  void add_body(ByteReader& body, float scale, Chunk out) const override;
  void choose_buckets();
  void deal_out(std::size_t elements);
  [[nodiscard]] std::size_t sketched_bytes() const noexcept;
  void put_group(Group& group, std::size_t elements, ByteWriter& body);
  void add_group(ByteReader& body, std::span<const float> magnitudes, float scale, Chunk out) const;

  double ratio_;
  std::size_t per_group_;
  Selector selector_;
  SparseVector kept_;
  std::vector<float> sorted_;
  std::vector<float> magnitudes_;  ///< of the buckets, ascending
  std::array<Group, kGroups> groups_;
  mutable std::vector<std::uint8_t> cells_;
  mutable SparseVector scratch_;
};

/// Quantiles of the kept magnitudes: each bucket stands for its least member, so that values only shrink.
void SketchMl::choose_buckets() {
  sorted_.resize(kept_.size());
  std::ranges::transform(kept_.values(), sorted_.begin(), [](float value) { return std::abs(value); });
  std::ranges::sort(sorted_);
  for (std::size_t i = 0; i < magnitudes_.size(); ++i)
    magnitudes_[i] = sorted_[i * sorted_.size() / magnitudes_.size()];
}

void SketchMl::deal_out(std::size_t elements) {
  for (Group& group : groups_) {
    group.members.clear();
    group.numbers.clear();
  }
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    const float value = kept_.values()[i];
    const auto above = std::ranges::upper_bound(magnitudes_, std::abs(value));
    const auto bucket = static_cast<std::size_t>(above - magnitudes_.begin()) - 1;
    Group& group = groups_[bucket / per_group_];
    group.members.make_room(1);
    *group.members.end_indices() = kept_.indices()[i];
    *group.members.end_values() = value;
    group.members.added(1);
    group.numbers.push_back(static_cast<std::uint8_t>(bucket % per_group_));
  }
  for (Group& group : groups_) {
    group.coder = smallest_index_coder(group.members.indices(), elements);
    group.position_bytes = index_bytes(group.coder, group.members.indices(), elements);
  }
}

std::size_t SketchMl::sketched_bytes() const noexcept {
  std::size_t bytes = 1 + sizeof(std::uint16_t) + magnitudes_.size() * sizeof(float);
  for (const Group& group : groups_) {
    const std::size_t members = group.members.size();
    const std::size_t cells = MinMaxSketch::kRows * MinMaxSketch::columns_for(members);
    bytes += kGroupHeader + group.position_bytes + bit_bytes(members, 1) + bit_bytes(cells, cell_bits());
  }
  return bytes;
}

void SketchMl::encode_body(Chunk chunk, ByteWriter& body) {
  const double k = std::round(ratio_ * static_cast<double>(chunk.count));
  selector_.choose(chunk.floats(), std::max<std::size_t>(1, static_cast<std::size_t>(k)));
  kept_.clear();
  selector_.pick(chunk.floats(), 0, kept_);
  if (kept_.size() > 0) {
    choose_buckets();
    deal_out(chunk.count);
  }
  if (kept_.size() == 0 || sketched_bytes() >= body_bytes(chunk.count)) {
    body.put(kAsFloats);
    return body.put_bytes(std::as_bytes(chunk.floats()));
  }
  body.put(kSketched);
  body.put(static_cast<std::uint16_t>(magnitudes_.size()));
  body.put_bytes(std::as_bytes(std::span<const float>(magnitudes_)));
  for (Group& group : groups_) put_group(group, chunk.count, body);
}

void SketchMl::put_group(Group& group, std::size_t elements, ByteWriter& body) {
  const std::size_t members = group.members.size();
  body.put(static_cast<std::uint32_t>(members));
  body.put(group.coder);
  body.put(static_cast<std::uint32_t>(group.position_bytes));
  encode_indices(group.coder, group.members.indices(), elements, body.take(group.position_bytes));
  BitWriter signs(body.take(bit_bytes(members, 1)));
  for (const float value : group.members.values()) signs.put(std::signbit(value) ? 1 : 0, 1);
  signs.finish();
  cells_.resize(MinMaxSketch::kRows * MinMaxSketch::columns_for(members));
  MinMaxSketch sketch(cells_);
  sketch.clear();
  for (std::size_t i = 0; i < members; ++i) sketch.insert(group.members.indices()[i], group.numbers[i]);
  BitWriter cells(body.take(bit_bytes(cells_.size(), cell_bits())));
  const auto most = static_cast<std::uint8_t>((1U << cell_bits()) - 1);
  for (const std::uint8_t cell : cells_) cells.put(std::min(cell, most), cell_bits());
  cells.finish();
}

void SketchMl::add_body(ByteReader& body, float scale, Chunk out) const {
  const auto form = body.get<std::uint8_t>();
  if (form > kSketched) fail(Status::corrupt, "sketchml payload has form ", +form, "; known: 0, 1");
  if (form == kAsFloats) {
    return kernels::add_scaled(DType::float32, std::as_writable_bytes(out.floats()),
                               body.take(out.count * sizeof(float)), static_cast<double>(scale));
  }
  const std::size_t buckets = body.get<std::uint16_t>();
  if (buckets != magnitudes_.size()) {
    fail(Status::corrupt, "sketchml payload has ", buckets, " buckets; ", magnitudes_.size(), " were expected");
  }
  std::array<float, 1024> magnitudes;
  std::memcpy(magnitudes.data(), body.take(buckets * sizeof(float)).data(), buckets * sizeof(float));
  for (std::size_t group = 0; group < kGroups; ++group) {
    add_group(body, std::span<const float>(magnitudes).subspan(group * per_group_, per_group_), scale, out);
  }
}

void SketchMl::add_group(ByteReader& body, std::span<const float> magnitudes, float scale, Chunk out) const {
  for (const float magnitude : magnitudes) {
    if (!(magnitude >= 0) || !std::isfinite(magnitude)) {
      fail(Status::corrupt, "sketchml payload has a magnitude of ", magnitude);
    }
  }
  const std::size_t members = body.get<std::uint32_t>();
  const auto coder = body.get<std::uint8_t>();
  if (members > out.count || coder >= kIndexCoders) {
    fail(Status::corrupt, "sketchml payload has ", members, " members of ", out.count, " elements, index coder ",
         +coder);
  }
  const Bytes positions = body.take(body.get<std::uint32_t>());
  scratch_.resize(members);
  decode_indices(static_cast<IndexCoder>(coder), positions, out.count, scratch_.indices());
  BitReader signs(body.take(bit_bytes(members, 1)));
  cells_.resize(MinMaxSketch::kRows * MinMaxSketch::columns_for(members));
  BitReader cells(body.take(bit_bytes(cells_.size(), cell_bits())));
  for (std::uint8_t& cell : cells_) {
    cell = static_cast<std::uint8_t>(cells.peek() & ((1U << cell_bits()) - 1));
    cells.skip(cell_bits());
  }
  const MinMaxSketch sketch(cells_);
  const std::span<float> values = out.floats();
  for (const std::uint32_t index : scratch_.indices()) {
    const std::size_t number = std::min<std::size_t>(sketch.query(index), magnitudes.size() - 1);
    const bool negative = (signs.peek() & 1) != 0;
    signs.skip(1);
    values[index] += scale * (negative ? -magnitudes[number] : magnitudes[number]);
  }
}

std::unique_ptr<TensorCodec> make_sketchml(const Options& options, const Shape&) {
  const std::int64_t buckets = options.integer("buckets", 8, 1024);
  if (buckets % static_cast<std::int64_t>(kGroups) != 0) {
    fail(Status::argument, "codec sketchml: buckets=", buckets, " is not valid; buckets is a multiple of ", kGroups);
  }
  return std::make_unique<SketchMl>(options.real_above("ratio", 0, 1), static_cast<std::size_t>(buckets));
}

}  // namespace

CodecEntry sketchml_entry() noexcept {
  return {.name = "sketchml",
          .summary = "the largest values of every partial sum, rounded down to quantiles whose numbers a sketch keeps",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make_sketchml};
}

}  // namespace gossamer
