#include <functional>
#include <numeric>

#include "tools/perf.hpp"
#include "tools/perf_input.hpp"

namespace gossamer::tools {
namespace {

// The most nearly square matrix of `count` elements, so that matrix codecs have one; a vector when count is prime.
std::vector<std::size_t> dims_for(std::size_t count) {
  std::size_t rows = 1;
  for (std::size_t divisor = 2; divisor * divisor <= count; ++divisor) {
    if (count % divisor == 0) rows = divisor;
  }
  return rows == 1 ? std::vector<std::size_t>{count} : std::vector<std::size_t>{count / rows, rows};
}

void add_convolution(Case& tensors, const std::string& name, std::size_t in, std::size_t out, std::size_t kernel) {
  tensors.push_back({name + ".weight", {out, in, kernel, kernel}});
  tensors.push_back({name + ".bn.weight", {out}});
  tensors.push_back({name + ".bn.bias", {out}});
}

}  // namespace

std::size_t TensorShape::count() const noexcept {
  return std::accumulate(dims.begin(), dims.end(), std::size_t{1}, std::multiplies<>());
}

Case resnet50() {
  constexpr std::size_t kBlocks[] = {3, 4, 6, 3};
  constexpr std::size_t kExpansion = 4;
  Case tensors;
  add_convolution(tensors, "conv1", 3, 64, 7);
  std::size_t in = 64;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    const std::size_t width = std::size_t{64} << stage;
    for (std::size_t block = 0; block < kBlocks[stage]; ++block) {
      const std::string name = "layer" + std::to_string(stage + 1) + "." + std::to_string(block);
      add_convolution(tensors, name + ".conv1", in, width, 1);
      add_convolution(tensors, name + ".conv2", width, width, 3);
      add_convolution(tensors, name + ".conv3", width, width * kExpansion, 1);
      if (block == 0) add_convolution(tensors, name + ".downsample", in, width * kExpansion, 1);
      in = width * kExpansion;
    }
  }
  tensors.push_back({"fc.weight", {1000, in}});
  tensors.push_back({"fc.bias", {1000}});
  return {tensors.rbegin(), tensors.rend()};
}

std::vector<Case> cases_of(const PerfOptions& options) {
  if (options.tensors == "resnet50") return {resnet50()};
  std::vector<Case> cases;
  const std::size_t size = element_size(options.dtype);
  for (std::uint64_t bytes = options.begin_bytes; bytes <= options.end_bytes; bytes *= options.factor) {
    const std::size_t count = bytes / size;
    cases.push_back({{"perf." + std::to_string(bytes), dims_for(count)}});
    if (options.factor < 2 || bytes > options.end_bytes / options.factor) break;
  }
  return cases;
}

std::string PerfOptions::communicator_config() const {
  std::string text = "codec=" + codec;
  if (!topology.empty()) text += " topology=" + topology;
  if (!transport.empty()) {
    text += " transport=" + transport;
  } else if (inproc > 0) {
    text += " transport=inproc";
  }
  return config.empty() ? text : text + " " + config;
}

}  // namespace gossamer::tools
