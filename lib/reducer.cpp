#include "lib/reducer.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "compress/kernels.hpp"
#include "lib/base/error.hpp"

namespace gossamer {
namespace {

/// Travels in place of a sum that is not finite, for which codecs have no code. Shorter than any codec's header.
constexpr std::array<std::byte, 4> kNotFinite = {std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};

bool is_not_finite(Bytes payload) noexcept {
  return std::equal(payload.begin(), payload.end(), kNotFinite.begin(), kNotFinite.end());
}

std::size_t nonzeros(std::span<const float> values) noexcept {
  return values.size() - static_cast<std::size_t>(std::count(values.begin(), values.end(), 0.0F));
}

/// What all ways share: where a part lives and how it is first filled.
class GroundedReducer : public Reducer {
 public:
  explicit GroundedReducer(DType dtype) noexcept : dtype_(dtype) {}

  void begin(const Ground& ground, Loader* loader) override {
    ground_ = ground;
    loader_ = loader;
    finite_ = true;
    next_slab();
  }
  [[nodiscard]] bool finite() const noexcept override { return finite_; }
  void settle() override {}
  void next_slab() noexcept override {}

 protected:
  [[nodiscard]] Chunk chunk_of(Part part) const noexcept {
    return {ground_.data + part.offset * size_of(dtype_), part.count, part.offset};
  }
  Chunk touch(Part part, bool fresh) {
    const Chunk chunk = chunk_of(part);
    if (fresh && loader_ != nullptr) loader_->load(part, chunk.data);
    return chunk;
  }

  DType dtype_;
  Ground ground_;
  Loader* loader_ = nullptr;
  bool finite_ = true;
};

/// The values travel as they are.
class InPlaceReducer final : public GroundedReducer {
 public:
  InPlaceReducer(InPlaceCodec& codec, DType dtype) noexcept : GroundedReducer(dtype), codec_(codec) {}

  Bytes open(Part part, bool fresh, MutableBytes slot) override { return codec_.encode(touch(part, fresh), slot); }
  Bytes pass(Part part, bool fresh, Bytes incoming, MutableBytes slot) override {
    keep(part, fresh, incoming);
    return codec_.encode(chunk_of(part), slot);
  }
  void keep(Part part, bool fresh, Bytes incoming) override { codec_.accumulate(incoming, 1, touch(part, fresh)); }
  Bytes finish(Part part, bool fresh, MutableBytes slot) override {
    const Chunk chunk = touch(part, fresh);
    const Bytes payload = codec_.encode(chunk, slot);
    const bool finite = ground_.result_scale != 1 ? codec_.rescale(ground_.result_scale, chunk)
                                                  : !ground_.check_finite || kernels::all_finite(dtype_, payload);
    if (ground_.check_finite && !finite) {
      finite_ = false;
      codec_.mark_nonfinite(chunk);
    }
    return payload;
  }
  void place(Part part, Bytes payload) override {
    const Chunk chunk = chunk_of(part);
    if (payload.size() != chunk.count * size_of(dtype_)) {
      fail(Status::corrupt, "a part of ", chunk.count, " ", name_of(dtype_), " values arrived as ", payload.size(),
           " bytes");
    }
    if (ground_.check_finite && codec_.marked_nonfinite(chunk)) finite_ = false;
  }

 private:
  InPlaceCodec& codec_;
};

/// What lossy ways share: dropped mass stays in the tensor until the result arrives, then becomes the residual.
class LossyReducer : public GroundedReducer {
 public:
  explicit LossyReducer(Codec& codec) noexcept
      : GroundedReducer(DType::float32), codec_(codec), sparse_(dynamic_cast<Sparse*>(&codec)) {}

  void place(Part part, Bytes payload) override {
    const Chunk chunk = chunk_of(part);
    const std::span<float> values = chunk.floats();
    if (is_not_finite(payload)) {
      finite_ = false;
      return;
    }
    move_dropped(part, values);
    codec_.accumulate(payload, static_cast<float>(ground_.result_scale), chunk);
    if (ground_.entries != nullptr) ground_.entries->sum += sparse_->entries(payload, part.count);
    if (ground_.check_finite && !kernels::all_finite(chunk.floats())) finite_ = false;
  }

 protected:
  /// Encodes what the tensor holds and leaves there what encoding dropped. Finite inputs can still sum to infinity,
  /// which goes on as such until all ranks know.
  Bytes encode(Chunk chunk, MutableBytes slot) {
    if (!kernels::all_finite(chunk.floats())) return kNotFinite;
    const Bytes payload = codec_.encode(chunk, slot);
    if (ground_.residual != nullptr) codec_.accumulate(payload, -1, chunk);
    if (ground_.entries != nullptr) ground_.entries->own += sparse_->entries(payload, chunk.count);
    return payload;
  }
  /// What was dropped becomes the residual, and zeros make room for the result: in blocks that stay in the cache, since
  /// a part may not.
  void move_dropped(Part part, std::span<float> values) noexcept {
    constexpr std::size_t kBlock = 4096;
    const float back = 1 / ground_.input_scale;
    for (std::size_t at = 0; at < values.size(); at += kBlock) {
      const std::span<float> block = values.subspan(at, std::min(kBlock, values.size() - at));
      if (ground_.residual != nullptr) {
        float* residual = ground_.residual + part.offset + at;
        for (std::size_t i = 0; i < block.size(); ++i) residual[i] = block[i] * back;
      }
      std::fill(block.begin(), block.end(), 0.0F);
    }
  }

  Codec& codec_;
  const Sparse* sparse_;  // the codec, if it is one
};

/// Decode, add, encode again.
class ReencodeReducer final : public LossyReducer {
 public:
  using LossyReducer::LossyReducer;

  Bytes open(Part part, bool fresh, MutableBytes slot) override { return encode(touch(part, fresh), slot); }
  Bytes pass(Part part, bool fresh, Bytes incoming, MutableBytes slot) override {
    keep(part, fresh, incoming);
    return encode(chunk_of(part), slot);
  }
  void keep(Part part, bool fresh, Bytes incoming) override {
    const Chunk chunk = touch(part, fresh);
    if (is_not_finite(incoming) && chunk.count > 0) {
      chunk.floats()[0] = std::numeric_limits<float>::quiet_NaN();
    } else {
      codec_.accumulate(incoming, 1, chunk);
    }
  }
  Bytes finish(Part part, bool fresh, MutableBytes slot) override {
    const Bytes payload = encode(touch(part, fresh), slot);
    place(part, payload);
    return payload;
  }
};

/// Payload ⊕ payload. Partial sums stay encoded between dimensions.
class MergeReducer final : public LossyReducer {
 public:
  MergeReducer(MergeableCodec& codec, const ReducerSize& size, Slots& slots)
      : LossyReducer(codec),
        merging_(codec),
        finisher_(dynamic_cast<Finisher*>(&codec)),
        own_(slots.take(codec.max_payload(size.part_count))),
        spare_(slots.take(codec.max_payload(size.part_count))),
        kept_(size.kept_parts) {
    for (Kept& kept : kept_) kept.slot = slots.take(codec.max_payload(size.part_count));
  }

  Bytes open(Part part, bool fresh, MutableBytes slot) override {
    return fresh ? encode(touch(part, true), slot) : find(part).payload;
  }
  Bytes pass(Part part, bool fresh, Bytes incoming, MutableBytes slot) override {
    return merge(mine(part, fresh), incoming, part, slot);
  }
  void keep(Part part, bool fresh, Bytes incoming) override {
    if (fresh) {
      if (used_ == kept_.size()) fail(Status::internal, "a lane keeps more partial sums than planned");
      Kept& kept = kept_[used_++];
      kept.place = part.place;
      kept.payload = merge(mine(part, true), incoming, part, kept.slot);
    } else {
      Kept& kept = find(part);
      kept.payload = merge(kept.payload, incoming, part, spare_);
      std::swap(kept.slot, spare_);
    }
  }
  Bytes finish(Part part, bool fresh, MutableBytes slot) override {
    const Bytes payload = finisher_ == nullptr ? open(part, fresh, slot) : finish_sum(part, mine(part, fresh), slot);
    place(part, payload);
    return payload;
  }
  void next_slab() noexcept override { used_ = 0; }

 private:
  struct Kept {
    std::size_t place = 0;
    Bytes payload;
    MutableBytes slot;
  };

  Bytes merge(Bytes a, Bytes b, Part part, MutableBytes slot) const {
    if (is_not_finite(a) || is_not_finite(b)) return kNotFinite;
    return merging_.merge(a, b, part.count, slot);
  }
  Bytes finish_sum(Part part, Bytes sum, MutableBytes slot) {
    if (is_not_finite(sum)) return sum;
    const Bytes payload = finisher_->finish(sum, chunk_of(part), slot);
    if (ground_.residual != nullptr) {
      codec_.accumulate(sum, 1, chunk_of(part));
      codec_.accumulate(payload, -1, chunk_of(part));
    }
    return payload;
  }
  Bytes mine(Part part, bool fresh) { return fresh ? encode(touch(part, true), own_) : find(part).payload; }
  Kept& find(Part part) {
    for (std::size_t i = 0; i < used_; ++i) {
      if (kept_[i].place == part.place) return kept_[i];
    }
    fail(Status::internal, "no partial sum is kept at element ", part.offset);
  }

  MergeableCodec& merging_;
  Finisher* finisher_;  // the codec, if it is one
  MutableBytes own_;
  MutableBytes spare_;
  std::vector<Kept> kept_;
  std::size_t used_ = 0;
};

/// Nothing is summed on the way: a "part" is a rank's contribution to the whole slab. When all have come, every rank
/// adds them up in the same order.
class GatherReducer final : public LossyReducer {
 public:
  GatherReducer(Codec& codec, const ReducerSize& size, Slots& slots) : LossyReducer(codec), contributions_(size.ranks) {
    for (Contribution& each : contributions_) each.slot = slots.take(codec.max_payload(size.part_count));
  }

  Bytes open(Part, bool, MutableBytes) override { refuse(); }
  Bytes pass(Part, bool, Bytes, MutableBytes) override { refuse(); }
  void keep(Part, bool, Bytes) override { refuse(); }

  Bytes finish(Part part, bool, MutableBytes slot) override {
    const Chunk chunk = touch(part, true);
    const Bytes payload = encode(chunk, slot);
    place(part, payload);
    return payload;
  }
  void place(Part part, Bytes payload) override {
    slab_ = part;
    Contribution& theirs = contributions_[part.place];
    if (payload.size() > theirs.slot.size()) {
      fail(Status::corrupt, "a contribution of ", part.count, " values arrived as ", payload.size(), " bytes");
    }
    std::copy(payload.begin(), payload.end(), theirs.slot.begin());
    theirs.payload = theirs.slot.first(payload.size());
  }
  void settle() override {
    for (const Contribution& each : contributions_) finite_ = finite_ && !is_not_finite(each.payload);
    if (!finite_) return;
    const Chunk chunk = chunk_of(slab_);
    move_dropped(slab_, chunk.floats());
    for (const Contribution& each : contributions_) {
      codec_.accumulate(each.payload, static_cast<float>(ground_.result_scale), chunk);
    }
    if (ground_.entries != nullptr) ground_.entries->sum += nonzeros(chunk.floats());
    if (ground_.check_finite && !kernels::all_finite(chunk.floats())) finite_ = false;
  }

 private:
  struct Contribution {
    MutableBytes slot;
    Bytes payload;
  };

  [[noreturn]] static void refuse() { fail(Status::internal, "partial sums where contributions are gathered"); }

  std::vector<Contribution> contributions_;  // by place
  Part slab_;
};

}  // namespace

ReducerKind reducer_kind(const Codec& codec, bool gathered) noexcept {
  if (gathered) return ReducerKind::gather;
  if (dynamic_cast<const InPlaceCodec*>(&codec) != nullptr) return ReducerKind::in_place;
  if (dynamic_cast<const MergeableCodec*>(&codec) != nullptr) return ReducerKind::merge;
  return ReducerKind::re_encode;
}

std::size_t reducer_slots(ReducerKind kind, const ReducerSize& size) noexcept {
  if (kind == ReducerKind::gather) return size.ranks;
  return kind == ReducerKind::merge ? 2 + size.kept_parts : 0;
}

std::unique_ptr<Reducer> make_reducer(ReducerKind kind, Codec& codec, DType dtype, const ReducerSize& size,
                                      Slots& slots) {
  switch (kind) {
    case ReducerKind::in_place:
      return std::make_unique<InPlaceReducer>(dynamic_cast<InPlaceCodec&>(codec), dtype);
    case ReducerKind::merge:
      return std::make_unique<MergeReducer>(dynamic_cast<MergeableCodec&>(codec), size, slots);
    case ReducerKind::gather:
      return std::make_unique<GatherReducer>(codec, size, slots);
    case ReducerKind::re_encode:
      break;
  }
  return std::make_unique<ReencodeReducer>(codec);
}

}  // namespace gossamer
