#include <algorithm>
#include <cmath>
#include <ctime>

#include "compress/ways.hpp"
#include "tools/codecs.hpp"
#include "tools/codecs_bench.hpp"

namespace gossamer::tools {
namespace {

constexpr std::size_t kMinCompress = 1024;  // elements: the default of the configuration
constexpr std::size_t kPasses = 7;
constexpr double kPatienceSeconds = 1.5;

/// Of this thread's processor time: other programs on the machine do not count.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// What one pass over all tensors of all ranks comes to.
struct Pass {
  double encode_seconds = 0, decode_seconds = 0;
  double payload_bytes = 0;
  double error_squares = 0, input_squares = 0;

  [[nodiscard]] double error() const { return input_squares > 0 ? std::sqrt(error_squares / input_squares) : 0; }
};

template <typename Work>
void timed(double& seconds, const Work& work) {
  const double begin = processor_seconds();
  work();
  seconds += processor_seconds() - begin;
}

/// Every rank's codec of one tensor. Ranks take turns, so that one core does the work of one.
class TensorBench {
 public:
  TensorBench(const std::string& spec, const Shape& shape, int ring, std::size_t ranks) : values_(ranks) {
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      CodecChoice choice = make_codec(spec, shape, kMinCompress);
      const Stage stages[] = {{static_cast<std::size_t>(ring), false}};
      ways_.push_back(cheapest(ways_to_take(choice, shape, stages)));
      benches_.push_back(make_bench(*ways_.back().codec, shape.count()));
    }
  }
  [[nodiscard]] const Way& way() const { return ways_.front(); }

  /// gradient(rank) has a rank's values.
  template <typename Gradients>
  void run(const Gradients& gradient, std::uint32_t call, Pass& pass) {
    for (std::size_t rank = 0; rank < benches_.size(); ++rank) {
      const StepContext context{{1, call, 0}, {1, call, static_cast<std::uint32_t>(rank) + 1}, 1};
      values_[rank] = gradient(rank);
      timed(pass.encode_seconds, [&] {
        benches_[rank]->condition(chunk(rank), context);
        benches_[rank]->begin(chunk(rank), context);
      });
    }
    share_maxima();
    for (std::size_t rank = 0; rank < benches_.size(); ++rank) {
      timed(pass.encode_seconds, [&] { benches_[rank]->encode(); });
      pass.payload_bytes += static_cast<double>(benches_[rank]->payload_bytes());
      decoded_.assign(values_[rank].size(), 0.0F);
      timed(pass.decode_seconds, [&] { benches_[rank]->decode(decoded_); });
      compare(values_[rank], pass);
    }
  }

 private:
  Chunk chunk(std::size_t rank) {
    return {reinterpret_cast<std::byte*>(values_[rank].data()), values_[rank].size(), 0};
  }
  void share_maxima() {
    std::vector<float> largest;
    for (const bool take : {false, true}) {
      for (const auto& bench : benches_) {
        SharedMaxima* shared = bench->maxima();
        if (shared == nullptr) return;
        const std::span<float> mine = shared->maxima();
        largest.resize(mine.size(), 0.0F);
        for (std::size_t i = 0; i < mine.size(); ++i) {
          if (take) mine[i] = largest[i];
          largest[i] = std::max(largest[i], mine[i]);
        }
      }
    }
  }
  void compare(const std::vector<float>& values, Pass& pass) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<double>(values[i]);
      const double error = static_cast<double>(decoded_[i]) - value;
      pass.error_squares += error * error;
      pass.input_squares += value * value;
    }
  }

  std::vector<Way> ways_;  ///< the cheapest, one object for each rank
  std::vector<std::unique_ptr<CodecBench>> benches_;
  std::vector<std::vector<float>> values_;  ///< what each rank encodes
  std::vector<float> decoded_;
};

std::string reduction_of(const Way& way) {
  const TensorCodec* codec = way.codec.get();
  if (dynamic_cast<const LinearCodec*>(codec) != nullptr) return "linear";
  if (dynamic_cast<const InPlaceCodec*>(codec) != nullptr) return "in place";
  if (way.gathered) return "all-gather";
  return dynamic_cast<const MergeableCodec*>(codec) != nullptr ? "merge" : "re-encode";
}

double median_rate(const std::vector<Pass>& passes, double Pass::*seconds, double bytes) {
  std::vector<double> all;
  for (const Pass& pass : passes) all.push_back(pass.*seconds);
  std::sort(all.begin(), all.end());
  const double median = all[all.size() / 2];
  return median > 0 ? bytes / median * 1e-9 : 0;
}

/// The largest error that one encode of these values may have. The squared error of a codec that draws one value in a
/// hundred has a relative standard deviation of 10 / √count; its root is allowed four times half of that.
double allowed_error(const std::string& spec, const Subjects& subjects) {
  if (!subjects.normal) return std::numeric_limits<double>::max();
  const std::string name = Spec::parse(spec).name;
  const double chance = 20 / std::sqrt(static_cast<double>(subjects.count()));
  for (const CodecEntry& entry : codecs()) {
    if (entry.name == name) return (1.05 + chance) * entry.error;
  }
  fail(Status::internal, "no codec '", name, "'");
}

void check(const std::vector<Pass>& passes, double allowed, CodecRow& row) {
  for (const Pass& pass : passes) {
    if (pass.error() <= allowed) continue;  // and so finite
    row.broken.push_back(
        sentence(row.spec, ": an encode has a relative error of ", pass.error(), "; at most ", allowed, " is right"));
    return;
  }
}

/// What the codec says of itself under these shapes; how it reduces, of the largest.
void describe(const std::vector<TensorBench>& tensors, const std::vector<Gradient>& gradients, int ring,
              CodecRow& row) {
  const auto largest = std::max_element(gradients.begin(), gradients.end(), [](const Gradient& a, const Gradient& b) {
    return a.values.size() < b.values.size();
  });
  row.reduction = reduction_of(tensors[static_cast<std::size_t>(largest - gradients.begin())].way());
  double dense = 0, predicted = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Shape shape{DType::float32, gradients[i].dims};
    dense += 2.0 * (ring - 1) / ring * static_cast<double>(shape.bytes());
    predicted += tensors[i].way().bytes;
  }
  row.ring_ratio = predicted > 0 ? dense / predicted : 0;
}

}  // namespace

CodecRow measure_codec(const std::string& spec, const Subjects& subjects, const CodecsOptions& options) {
  CodecRow row;
  row.spec = spec;
  row.error_feedback = make_codec(spec, Shape{DType::float32, {64, 64}}).error_feedback;

  const std::vector<Gradient>& first = subjects.ranks.front();
  std::vector<TensorBench> tensors;
  tensors.reserve(first.size());
  for (const Gradient& gradient : first) {
    tensors.emplace_back(spec, Shape{DType::float32, gradient.dims}, options.ranks, subjects.ranks.size());
  }
  describe(tensors, first, options.ranks, row);

  std::vector<Pass> passes;
  const double begin = processor_seconds();
  do {
    Pass pass;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto gradient = [&](std::size_t rank) -> const std::vector<float>& {
        return subjects.ranks[rank][i].values;
      };
      tensors[i].run(gradient, static_cast<std::uint32_t>(passes.size()), pass);
    }
    passes.push_back(pass);
  } while (passes.size() < kPasses && processor_seconds() - begin < kPatienceSeconds);

  check(passes, allowed_error(spec, subjects), row);
  const auto ranks = static_cast<double>(subjects.ranks.size());
  const double bytes = static_cast<double>(subjects.count()) * sizeof(float);
  row.error = passes.front().error();
  row.payload_bytes = passes.front().payload_bytes / ranks;
  row.ratio = row.payload_bytes > 0 ? bytes / row.payload_bytes : 0;
  // The first pass meets memory for the first time.
  if (passes.size() > 1) passes.erase(passes.begin());
  row.encode_rate = row.reduction == "in place" ? 0 : median_rate(passes, &Pass::encode_seconds, bytes * ranks);
  row.decode_rate = median_rate(passes, &Pass::decode_seconds, bytes * ranks);
  return row;
}

}  // namespace gossamer::tools
