#include "tools/recording.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>

#include "compress/kernels.hpp"
#include "lib/base/bytes.hpp"

namespace gossamer::tools {
namespace {

constexpr std::string_view kMagic = "GOSSGRAD";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kMostDims = 16;

std::vector<std::byte> contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) fail(Status::argument, "cannot read recording ", path);
  std::vector<std::byte> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!in) fail(Status::argument, "cannot read recording ", path);
  return bytes;
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Gradient read_gradient(ByteReader& reader) {
  Gradient gradient;
  gradient.name = text_of(reader.take(reader.get<std::uint32_t>()));
  const auto ndim = reader.get<std::uint32_t>();
  if (ndim == 0 || ndim > kMostDims) {
    fail(Status::corrupt, gradient.name, " has ", ndim, " dims; 1 to ", kMostDims, " are valid");
  }
  std::size_t count = 1;
  for (std::uint32_t i = 0; i < ndim; ++i) {
    const auto dim = reader.get<std::uint64_t>();
    // Against the bytes that are left: no product of dims overflows, and nothing is allocated that is not there.
    const std::size_t most = reader.remaining() / sizeof(float);
    if (dim == 0) fail(Status::corrupt, gradient.name, " has a dim of 0 elements");
    if (dim > most / count) fail(Status::corrupt, "it ends before ", gradient.name, " does");
    count *= dim;
    gradient.dims.push_back(dim);
  }
  const Bytes values = reader.take(count * sizeof(float));
  gradient.values.resize(count);
  std::memcpy(gradient.values.data(), values.data(), values.size());
  if (!kernels::all_finite(gradient.values)) fail(Status::numeric, gradient.name, " has NaN or Inf");
  return gradient;
}

}  // namespace

std::vector<Gradient> read_recording(const std::string& path) {
  const std::vector<std::byte> bytes = contents(path);
  try {
    ByteReader reader(bytes);
    if (text_of(reader.take(kMagic.size())) != kMagic) fail(Status::corrupt, "it does not start with ", kMagic);
    const auto version = reader.get<std::uint32_t>();
    if (version != kVersion) fail(Status::corrupt, "it is of version ", version, "; known: ", kVersion);
    std::vector<Gradient> gradients;
    for (auto left = reader.get<std::uint32_t>(); left > 0; --left) gradients.push_back(read_gradient(reader));
    reader.expect_end();
    if (gradients.empty()) fail(Status::corrupt, "it holds no tensors");
    return gradients;
  } catch (const Error& error) {
    fail(Status::argument, path, " is no recording of gradients: ", error.what());
  }
}

}  // namespace gossamer::tools
