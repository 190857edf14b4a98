#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "compress/codec.hpp"
#include "compress/entries.hpp"
#include "compress/kernels.hpp"
#include "compress/ternary.hpp"

namespace gossamer {
namespace {

using ternary::kGroup;

constexpr std::array kKeys = {
    Key{"clip", "2.5", "values are clipped to this many standard deviations, 0 to 1000; 0 clips nothing"},
};

constexpr std::size_t kHeader = sizeof(std::uint64_t) + sizeof(std::uint32_t) + sizeof(float);

/// Bytes of `count` values after the header: digits of one contribution, planes of several.
std::size_t body_bytes(std::size_t count, unsigned contributions) noexcept {
  if (contributions == 1) {
    return count / kGroup * ternary::trit_bytes(kGroup) + ternary::trit_bytes(count % kGroup);
  }
  return ternary::plane_words(count) * ternary::width_of(contributions) * sizeof(std::uint64_t);
}

/// Payload: u64 count, u32 contributions, float scale, then the codes (see ternary.hpp).
struct Payload {
  unsigned contributions = 0;
  float scale = 0.0F;
  unsigned width = 0;
  Bytes body;

  static Payload parse(Bytes bytes, std::size_t count) {
    ByteReader reader(bytes);
    const auto claimed = reader.get<std::uint64_t>();
    if (claimed != count) {
      fail(Status::corrupt, "terngrad payload is of ", claimed, " values; ", count, " were expected");
    }
    Payload payload;
    payload.contributions = reader.get<std::uint32_t>();
    if (payload.contributions < 1 || payload.contributions > ternary::kMaxContributions) {
      fail(Status::corrupt, "terngrad payload has ", payload.contributions, " contributions; 1 to ",
           ternary::kMaxContributions, " are possible");
    }
    payload.scale = reader.get<float>();
    if (!std::isfinite(payload.scale) || std::signbit(payload.scale)) {
      fail(Status::corrupt, "terngrad payload has a scale of ", payload.scale);
    }
    payload.width = ternary::width_of(payload.contributions);
    payload.body = reader.take(body_bytes(count, payload.contributions));
    reader.expect_end();
    return payload;
  }

  /// The planes of the group that starts at value `first` and has `count` values.
  void planes(std::size_t first, std::size_t count, std::uint64_t* out) const {
    if (contributions == 1) {
      const Bytes digits = body.subspan(first / kGroup * ternary::trit_bytes(kGroup), ternary::trit_bytes(count));
      if (!ternary::trits_to_planes(digits, out)) fail(Status::corrupt, "terngrad payload has a byte beyond 242");
      return;
    }
    const std::size_t row = width * sizeof(std::uint64_t);
    std::memcpy(out, body.data() + first / ternary::kPlane * row, ternary::plane_words(count) * row);
  }
};

using Planes = std::array<std::uint64_t, ternary::kWords * ternary::kMaxWidth>;

/// One word of 64 sums: a ripple-carry adder over whole words.
void add_word(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b, std::span<std::uint64_t> sum) {
  std::uint64_t carry = 0;
  for (std::size_t bit = 0; bit < sum.size(); ++bit) {
    const std::uint64_t x = bit < a.size() ? a[bit] : 0;
    const std::uint64_t y = bit < b.size() ? b[bit] : 0;
    sum[bit] = x ^ y ^ carry;
    carry = (x & y) | (carry & (x ^ y));
  }
  if (carry != 0) fail(Status::corrupt, "terngrad payload has a sum beyond its contributions");
}

class TernGrad final : public MergeableCodec, public SharedMaxima {
 public:
  explicit TernGrad(double clip) noexcept : clip_(clip) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "terngrad.1"; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}

  [[nodiscard]] std::size_t max_payload(std::size_t count) const noexcept override {
    return kHeader + std::max(body_bytes(count, 1), body_bytes(count, ternary::kMaxContributions));
  }
  [[nodiscard]] std::size_t typical_payload(std::size_t count) const noexcept override {
    return kHeader + body_bytes(count, 1);
  }
  [[nodiscard]] std::size_t typical_sum(std::size_t count, int contributions) const noexcept override {
    return kHeader + body_bytes(count, static_cast<unsigned>(contributions));
  }
  [[nodiscard]] std::span<float> maxima() noexcept override { return maxima_; }

  [[nodiscard]] bool surveys() const noexcept override { return true; }
  void begin(Chunk tensor, const StepContext& context) override {
    own_ = context.own;
    bound_ = std::numeric_limits<float>::infinity();
    maxima_ = {0.0F};
    if (tensor.count == 0) return;
    const std::span<const float> values = tensor.floats();
    const kernels::Moments moments = kernels::moments(values, values[0]);
    const auto count = static_cast<double>(tensor.count);
    const double mean = moments.sum / count;
    const double sigma = std::sqrt(std::max(0.0, moments.sum_of_squares / count - mean * mean));
    // Equal values have no deviation to be clipped by; clipping them to it would send nothing for ever.
    const auto bound = static_cast<float>(clip_ * sigma);
    if (bound > 0.0F) bound_ = bound;
    maxima_ = {std::min(moments.max_abs, bound_)};
  }

  Bytes encode(Chunk chunk, MutableBytes slot) override {
    const std::span<const float> values = chunk.floats();
    ByteWriter writer(slot);
    put_header(writer, chunk.count, 1, maxima_[0]);
    std::array<std::uint32_t, kGroup> words{};
    for (std::size_t at = 0; at < chunk.count; at += kGroup) {
      const std::size_t count = std::min(kGroup, chunk.count - at);
      kernels::random_words(own_, chunk.offset + at, std::span(words).first(count));
      ternary::encode_trits(values.subspan(at, count), {bound_, maxima_[0]}, words.data(),
                            writer.take(ternary::trit_bytes(count)));
    }
    return writer.written();
  }

  void accumulate(Bytes bytes, float scale, Chunk out) const override {
    const Payload payload = Payload::parse(bytes, out.count);
    const ternary::PlaneCode code{payload.width, payload.contributions, payload.scale};
    Planes planes;
    for (std::size_t at = 0; at < out.count; at += kGroup) {
      const std::size_t count = std::min(kGroup, out.count - at);
      payload.planes(at, count, planes.data());
      if (!ternary::add_planes(planes.data(), code, scale, out.floats().subspan(at, count))) {
        fail(Status::corrupt, "terngrad payload has a sum beyond its ", payload.contributions, " contributions");
      }
    }
  }

  Bytes merge(Bytes a, Bytes b, std::size_t count, MutableBytes slot) const override {
    const Payload left = Payload::parse(a, count);
    const Payload right = Payload::parse(b, count);
    if (std::bit_cast<std::uint32_t>(left.scale) != std::bit_cast<std::uint32_t>(right.scale)) {
      fail(Status::corrupt, "terngrad payloads have different scales, ", left.scale, " and ", right.scale);
    }
    const unsigned contributions = left.contributions + right.contributions;
    if (contributions > ternary::kMaxContributions) {
      fail(Status::corrupt, "terngrad payloads sum to ", contributions, " contributions; ", ternary::kMaxContributions,
           " are possible");
    }
    ByteWriter writer(slot);
    put_header(writer, count, contributions, left.scale);
    for (std::size_t at = 0; at < count; at += kGroup) {
      merge_group(left, right, at, std::min(kGroup, count - at), writer);
    }
    return writer.written();
  }

 private:
  static void put_header(ByteWriter& writer, std::size_t count, unsigned contributions, float scale) {
    writer.put(std::uint64_t{count});
    writer.put(std::uint32_t{contributions});
    writer.put(scale);
  }

  static void merge_group(const Payload& left, const Payload& right, std::size_t first, std::size_t count,
                          ByteWriter& writer) {
    const unsigned width = ternary::width_of(left.contributions + right.contributions);
    Planes a;
    Planes b;
    Planes sum;
    left.planes(first, count, a.data());
    right.planes(first, count, b.data());
    const std::size_t words = ternary::plane_words(count);
    for (std::size_t word = 0; word < words; ++word) {
      add_word(std::span(a).subspan(word * left.width, left.width),
               std::span(b).subspan(word * right.width, right.width), std::span(sum).subspan(word * width, width));
    }
    writer.put_bytes(std::as_bytes(std::span(sum).first(words * width)));
  }

  double clip_;
  float bound_ = std::numeric_limits<float>::infinity();
  std::array<float, 1> maxima_{};
  RandomStream own_;
};

}  // namespace

CodecEntry terngrad_entry() noexcept {
  return {.name = "terngrad",
          .summary = "-1, 0 or 1 times one scale that all ranks share; sums are exact integers",
          .error_feedback = false,
          .needs_matrix = false,
          .error = 2.5,  // variance |x|(max - |x|) < 6 x^2
          .keys = kKeys,
          .alternatives = {},
          .make = [](const Options& options, const Shape&) -> std::unique_ptr<TensorCodec> {
            return std::make_unique<TernGrad>(options.real("clip", 0.0, 1000.0));
          }};
}

}  // namespace gossamer
