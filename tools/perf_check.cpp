#include "tools/perf_check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/codec.hpp"
#include "lib/base/philox.hpp"
#include "tools/perf_input.hpp"

namespace gossamer::tools {
namespace {

constexpr std::size_t kSamples = 1U << 16U;

/// Sum over the ranks of elements [first, first + out.size()) of the inputs.
void exact_sum(const Inputs& inputs, int ranks, std::size_t first, std::span<double> out) {
  std::vector<double> one(out.size());
  std::fill(out.begin(), out.end(), 0.0);
  for (int rank = 0; rank < ranks; ++rank) {
    inputs.values(rank, first, one);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += one[i];
  }
}

/// The relative error of `result`; each rank looks at its n-th part, since the ranks' results agree.
double relative_error(Session& session, const PerfOptions& options, std::span<const std::byte> result) {
  const std::size_t element = element_size(options.dtype);
  const std::size_t count = result.size() / element;
  const auto ranks = static_cast<std::size_t>(session.size());
  const auto rank = static_cast<std::size_t>(session.rank());
  const std::size_t end = count * (rank + 1) / ranks;
  const double divisor = options.op == PerfOp::mean ? static_cast<double>(ranks) : 1.0;
  const Inputs inputs{options.seed, options.dtype};
  double squares[2] = {0, 0};
  std::vector<double> exact;
  std::vector<double> got;
  for (std::size_t first = count * rank / ranks; first < end; first += exact.size()) {
    exact.resize(std::min<std::size_t>(4096, end - first));
    got.resize(exact.size());
    exact_sum(inputs, session.size(), first, exact);
    widen(options.dtype, result.subspan(first * element, got.size() * element), got);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double truth = exact[i] / divisor;
      squares[0] += (got[i] - truth) * (got[i] - truth);
      squares[1] += truth * truth;
    }
  }
  const std::vector<double> sums = session.sum(squares);
  return sums[1] > 0 ? std::sqrt(sums[0] / sums[1]) : 0.0;
}

void check_agreement(Session& session, std::span<const std::byte> result, std::vector<std::string>& broken) {
  const std::uint64_t hash = fnv1a(reinterpret_cast<const char*>(result.data()), result.size());
  const double halves[2] = {static_cast<double>(hash >> 32U), static_cast<double>(hash & 0xffffffffU)};
  const std::vector<double> all = session.gather(halves);
  for (std::size_t rank = 1; rank < all.size() / 2; ++rank) {
    if (all[2 * rank] != all[0] || all[2 * rank + 1] != all[1]) {
      broken.push_back(sentence("agreement: rank ", rank, " ends with other bits than rank 0"));
      return;
    }
  }
}

std::vector<std::size_t> sample_positions(std::size_t count) {
  const std::size_t step = std::max<std::size_t>(1, count / kSamples);
  std::vector<std::size_t> positions;
  for (std::size_t at = 0; at < count; at += step) positions.push_back(at);
  return positions;
}

void add_samples(std::vector<double>& to, const PerfOptions& options, std::span<const std::byte> from, double scale) {
  const std::size_t element = element_size(options.dtype);
  const std::vector<std::size_t> positions = sample_positions(from.size() / element);
  to.resize(positions.size(), 0.0);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    double value = 0;
    widen(options.dtype, from.subspan(positions[i] * element, element), {&value, 1});
    to[i] += scale * value;
  }
}

/// `balance` holds the sampled results of all calls less this rank's inputs of all calls times ranks: summed over the
/// ranks and divided by their number it must be minus the sum of the residuals.
void check_conservation(Session& session, const CaseTensors& tensors, const PerfOptions& options,
                        std::vector<double> balance, std::vector<std::string>& broken) {
  const std::vector<float> residual = tensors.residual();
  const std::vector<std::size_t> positions = sample_positions(residual.size());
  const double ranks = session.size();
  double magnitude = 1;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const double kept = residual[positions[i]];
    magnitude = std::max({magnitude, std::abs(kept), std::abs(balance[i] / ranks)});
    balance[i] = balance[i] / ranks + kept;
  }
  const std::vector<double> magnitudes = session.gather({&magnitude, 1});
  magnitude = *std::max_element(magnitudes.begin(), magnitudes.end());
  const std::vector<double> lost = session.sum(balance);
  double worst = 0;
  for (const double each : lost) worst = std::max(worst, std::abs(each));
  const double tolerance =
      16 * (ranks + 2) * ranks * magnitude * (unit_roundoff(GOSS_FLOAT32) + unit_roundoff(options.dtype));
  if (!(worst <= tolerance)) {
    broken.push_back(sentence("conservation: results and residuals differ from the inputs by ", worst,
                              " in some element, where roundings allow ", tolerance));
  }
}

bool has_error_feedback(const PerfOptions& options) {
  return make_codec(options.codec, Shape{DType::float32, {64, 64}}).error_feedback;
}

void check_bound(const PerfOptions& options, int ranks, double error, std::vector<std::string>& broken) {
  const double bound = error_bound(Spec::parse(options.codec).name, options.dtype, ranks);
  if (!(error <= bound)) {
    broken.push_back(sentence("error bound: ", error, " is above ", bound, " for ", options.codec));
  }
}

}  // namespace

double unit_roundoff(goss_dtype dtype) {
  switch (dtype) {
    case GOSS_FLOAT64:
      return 0x1p-53;
    case GOSS_FLOAT16:
      return 0x1p-11;
    case GOSS_BFLOAT16:
      return 0x1p-8;
    case GOSS_FLOAT32:
      break;
  }
  return 0x1p-24;
}

double error_bound(std::string_view codec, goss_dtype dtype, int ranks) {
  // The norm of the partial sums over the norm of the sum, and one rounding per hop and one at the end.
  const double spread = std::sqrt(static_cast<double>(ranks));
  const double roundings = spread * (ranks + 1);
  const double own = roundings * unit_roundoff(dtype);
  for (const CodecEntry& entry : codecs()) {
    if (entry.name != codec) continue;
    // Codecs that drop a good part of their input cannot be held to more than that much of what is summed.
    return own + 1.01 * entry.error * (entry.error < 0.5 ? roundings : spread);
  }
  return std::numeric_limits<double>::infinity();
}

Accuracy verify(Session& session, CaseTensors& tensors, const PerfOptions& options) {
  const Inputs inputs{options.seed, options.dtype};
  std::vector<std::byte> data(tensors.bytes());
  std::vector<double> balance;
  Accuracy accuracy;
  const double ranks = session.size();
  for (int call = 0; call < (options.check ? 2 : 1); ++call) {
    inputs.fill(session.rank(), 0, data);
    if (options.check) add_samples(balance, options, data, -ranks);
    tensors.call(data.data(), options.op);
    if (call == 0) accuracy.error = relative_error(session, options, data);
    if (!options.check) continue;
    add_samples(balance, options, data, options.op == PerfOp::mean ? ranks : 1.0);
    check_agreement(session, data, accuracy.broken);
  }
  if (options.check) {
    check_bound(options, session.size(), accuracy.error, accuracy.broken);
    if (has_error_feedback(options)) check_conservation(session, tensors, options, balance, accuracy.broken);
  }
  tensors.reset();
  return accuracy;
}

}  // namespace gossamer::tools
