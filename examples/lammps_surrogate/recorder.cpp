#include "recorder.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace surrogate {
namespace {

static_assert(std::endian::native == std::endian::little, "recordings are little-endian");

constexpr char magic[] = {'G', 'O', 'S', 'S', 'G', 'R', 'A', 'D'};
constexpr std::uint32_t version = 1;
constexpr std::streamoff tensors_at = sizeof magic + sizeof version;
constexpr std::int64_t recorded_steps = 6;

template <typename T>
void put(std::ostream& out, const T& value) {
  out.write(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

GradientRecorder::GradientRecorder(const std::string& path, std::int64_t steps)
    : path_(path), out_(path, std::ios::binary) {
  const std::int64_t count = std::min(recorded_steps, steps);
  for (std::int64_t i = 0; i < count; ++i) steps_.push_back((2 * i + 1) * steps / (2 * count));
  out_.write(magic, sizeof magic);
  put(out_, version);
  put(out_, tensors_);
  if (!out_) throw std::runtime_error("cannot write recording " + path_);
}

void GradientRecorder::layer(std::int64_t step, int layer, const Layer& gradient) {
  if (!std::binary_search(steps_.begin(), steps_.end(), step)) return;
  const std::string name = "step" + std::to_string(step) + ".layer" + std::to_string(layer);
  const auto outputs = static_cast<std::uint64_t>(gradient.weight.rows());
  const auto inputs = static_cast<std::uint64_t>(gradient.weight.cols());
  tensor(name + ".weight", {outputs, inputs}, gradient.weight.data());
  tensor(name + ".bias", {outputs}, gradient.bias.data());
}

void GradientRecorder::tensor(const std::string& name, const std::vector<std::uint64_t>& dims, const float* values) {
  std::uint64_t count = 1;
  put(out_, static_cast<std::uint32_t>(name.size()));
  out_.write(name.data(), static_cast<std::streamsize>(name.size()));
  put(out_, static_cast<std::uint32_t>(dims.size()));
  for (const std::uint64_t dim : dims) {
    put(out_, dim);
    count *= dim;
  }
  out_.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(count * sizeof(float)));
  // A run that ends early leaves a recording of what there was until then.
  ++tensors_;
  out_.seekp(tensors_at);
  put(out_, tensors_);
  out_.seekp(0, std::ios::end);
  out_.flush();
  if (!out_) throw std::runtime_error("cannot write recording " + path_);
}

}  // namespace surrogate
