#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "tests/mpi/team.hpp"

namespace gossamer::laws {
namespace {

constexpr std::uint64_t kSeed = 20261122;

using Dims = std::vector<std::size_t>;

/// Every registered codec takes part as it is by default, with error feedback; these do as they are here. Conservation
/// is about what a codec makes of its input, so momentum is off.
const std::map<std::string, std::string> kInstead = {{"powersgd", "powersgd:rank=2"},
                                                     {"signum", "signum:momentum=0,ef=on"},
                                                     {"dgc", "dgc:momentum=0,ef=on"},
                                                     {"sgc", "sgc:momentum=0,ef=on"}};
const std::vector<std::string> kBesides = {"int8:rounding=stochastic", "topk:ratio=0.05,values=int8,indices=golomb",
                                           "topk:ratio=0.02,merge=reselect", "topk:ratio=0.01,reduce=allgather",
                                           "powersgd:rank=1,wire=fp16"};

std::vector<std::string> codecs_of(Extent extent) {
  std::vector<std::string> specs;
  for (int i = 0; goss_codec_name(i) != nullptr; ++i) {
    const std::string name = goss_codec_name(i);
    const auto instead = kInstead.find(name);
    specs.push_back(instead != kInstead.end() ? instead->second : name + ":ef=on");
  }
  if (extent == Extent::whole) specs.insert(specs.end(), kBesides.begin(), kBesides.end());
  return specs;
}

std::vector<Dims> shapes_of(int ranks, Extent extent) {
  if (extent == Extent::reduced) return {{1009}, {317, 2, 149}};
  return {{0}, {1}, {static_cast<std::size_t>(ranks - 1)}, {1009}, {100'003}, {37, 41}};
}

/// More than 3 MiB of floats: many slabs, all lanes. One codec of each way to reduce is enough for that.
const Dims kSeveralMiB = {1000, 801};
const std::set<std::string> kAtSeveralMiB = {"identity:ef=on", "int8:ef=on", "topk:ef=on", "powersgd:rank=2"};

std::size_t count_of(const Dims& dims) {
  std::size_t count = 1;
  for (const std::size_t dim : dims) count *= dim;
  return count;
}

std::vector<float> residual_of(const TensorOf& tensor, std::size_t count) {
  std::vector<float> residual(count);
  ok(goss_tensor_residual(tensor.get(), residual.data()), "residual");
  return residual;
}

/// result·(n if a mean) + Σ residual' = Σ (input + residual), within what float32 rounds in n hops of these magnitudes.
class Conservation {
 public:
  Conservation(const std::vector<float>& input, const std::vector<float>& before, const std::vector<float>& after)
      : sums_(2 * input.size()) {
    for (std::size_t i = 0; i < input.size(); ++i) {
      sums_[2 * i] = static_cast<double>(after[i]) - input[i] - before[i];
      sums_[2 * i + 1] = std::abs(input[i]) + std::abs(before[i]) + std::abs(after[i]);
    }
  }
  void check(const Setting& setting, const std::vector<float>& result, double scale, const std::string& what) {
    setting.team.sum(sums_);
    double worst = 0;
    for (std::size_t i = 0; i < result.size(); ++i) {
      const double sum = result[i] * scale;
      worst = std::max(worst, std::abs(sum + sums_[2 * i]) / (sums_[2 * i + 1] + std::abs(sum) + 1));
    }
    const double allowed = 0x1p-23 * (setting.team.size() + 3);
    expect(worst <= allowed, what, ": relative defect of conservation ", worst, ", allowed ", allowed);
  }

 private:
  std::vector<double> sums_;  // what the ranks lack, and the magnitudes it is made of
};

void check_codec(const Setting& setting, const std::string& codec, const Dims& dims) {
  const std::size_t count = count_of(dims);
  const TensorOf tensor(setting, "t", dims, codec);
  for (int call = 0; call < 2; ++call) {
    std::ostringstream what;
    what << setting.name << ", " << codec << ", " << count << " elements in " << dims.size() << " dims, call " << call
         << ", seed " << kSeed;
    const std::vector<float> before = residual_of(tensor, count);
    const std::vector<float> input = values_of(setting.team.rank(), call, count);
    std::vector<float> data = input;
    ok(goss_allreduce(tensor.get(), data.data(), call == 1 ? GOSS_MEAN : GOSS_SUM), what.str());
    check_agreement(setting, std::as_bytes(std::span(data)), what.str());
    Conservation law(input, before, residual_of(tensor, count));
    law.check(setting, data, call == 1 ? setting.team.size() : 1, what.str());
  }
}

/// Sums of small whole numbers are exact in any order, also in half precision.
template <typename T>
void check_whole_numbers(const Setting& setting, goss_dtype dtype, std::size_t count) {
  const TensorOf tensor(setting, "whole", {count}, "identity", dtype);
  const int n = setting.team.size();
  std::vector<T> data(count);
  for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<T>(static_cast<int>(i % 1000) + setting.team.rank());
  ok(goss_allreduce(tensor.get(), data.data(), GOSS_SUM), setting.name + ": sum of whole numbers");
  for (std::size_t i = 0; i < count; ++i) {
    const int sum = n * static_cast<int>(i % 1000) + n * (n - 1) / 2;
    expect(data[i] == static_cast<T>(sum), setting.name, ": element ", i, " of ", count, " is ", data[i],
           " instead of ", sum);
  }
}

/// |result − Σ| ≤ (n − 1)·u·Σ|x|, and one rounding more for the mean.
template <typename T>
void check_sums(const Setting& setting, goss_dtype dtype, std::size_t count, goss_op op) {
  const TensorOf tensor(setting, "real", {count}, "identity", dtype);
  const int n = setting.team.size();
  std::vector<double> sum(count), magnitude(count);
  std::vector<T> data(count);
  for (int rank = 0; rank < n; ++rank) {
    const std::vector<float> values = values_of(rank, 7, count);
    for (std::size_t i = 0; i < count; ++i) {
      const T value = static_cast<T>(values[i]) / 3;  // the double's low bits matter too
      if (rank == setting.team.rank()) data[i] = value;
      sum[i] += static_cast<double>(value);
      magnitude[i] += std::abs(static_cast<double>(value));
    }
  }
  ok(goss_allreduce(tensor.get(), data.data(), op), setting.name + ": sum of real numbers");
  const double unit = std::numeric_limits<T>::epsilon() / 2;
  const double scale = op == GOSS_MEAN ? 1.0 / n : 1;
  for (std::size_t i = 0; i < count; ++i) {
    // The oracle adds in double too: as many roundings again, of the size of a double's.
    const double allowed = scale * magnitude[i] * ((n + 1) * unit + n * 0x1p-53);
    const double error = std::abs(static_cast<double>(data[i]) - sum[i] * scale);
    expect(error <= allowed, setting.name, ": element ", i, " of ", count, " is wrong by ", error, ", allowed ",
           allowed);
  }
}

}  // namespace

std::vector<float> values_of(int rank, int call, std::size_t count) {
  std::mt19937_64 random(kSeed + static_cast<std::uint64_t>(rank) * 1009 + static_cast<std::uint64_t>(call));
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

void check_agreement(const Setting& setting, std::span<const std::byte> bytes, const std::string& what) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const std::byte byte : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
  const std::vector<std::uint64_t> hashes = setting.team.gather(hash);
  for (std::size_t rank = 0; rank < hashes.size(); ++rank) {
    expect(hashes[rank] == hash, what, ": rank ", rank, " has other bits than rank ", setting.team.rank());
  }
}

void check_codecs(const Setting& setting, Extent extent) {
  for (const std::string& codec : codecs_of(extent)) {
    for (const Dims& dims : shapes_of(setting.team.size(), extent)) check_codec(setting, codec, dims);
    if (extent == Extent::whole && kAtSeveralMiB.contains(codec)) check_codec(setting, codec, kSeveralMiB);
  }
}

void check_identity(const Setting& setting, Extent extent) {
  for (const Dims& dims : shapes_of(setting.team.size(), extent)) {
    const std::size_t count = count_of(dims);
    check_whole_numbers<float>(setting, GOSS_FLOAT32, count);
    check_whole_numbers<double>(setting, GOSS_FLOAT64, count);
    check_sums<float>(setting, GOSS_FLOAT32, count, GOSS_SUM);
    check_sums<float>(setting, GOSS_FLOAT32, count, GOSS_MEAN);
    check_sums<double>(setting, GOSS_FLOAT64, count, GOSS_MEAN);
  }
}

}  // namespace gossamer::laws
