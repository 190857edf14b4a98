#include <limits>
#include <vector>

#include "compress/codec.hpp"
#include "lib/c_guard.hpp"
#include "topology/topology.hpp"
#include "transport/transport.hpp"

namespace gossamer {

std::string& last_error() noexcept {
  thread_local std::string words;
  return words;
}

Shape shape_of(goss_dtype dtype, int ndim, const size_t* dims) {
  if (dtype < GOSS_FLOAT32 || dtype > GOSS_BFLOAT16) {
    fail(Status::argument, "dtype ", static_cast<int>(dtype),
         " is none of GOSS_FLOAT32, GOSS_FLOAT64, GOSS_FLOAT16, GOSS_BFLOAT16");
  }
  if (ndim < 0 || ndim > 16) fail(Status::argument, "ndim ", ndim, " is outside 0 to 16");
  if (ndim > 0) required(dims, "dims");
  Shape shape{static_cast<DType>(dtype), {dims, dims + ndim}};
  std::size_t room = std::numeric_limits<std::size_t>::max() / 16;
  for (const std::size_t dim : shape.dims) {
    if (dim > room) fail(Status::argument, "the product of the dims is too large");
    if (dim > 0) room /= dim;
  }
  return shape;
}

namespace {

template <typename Entries>
const char* name_at(const Entries& entries, int index) noexcept {
  if (index < 0 || static_cast<std::size_t>(index) >= entries.size()) return nullptr;
  return entries[static_cast<std::size_t>(index)].name.data();  // names are literals
}

}  // namespace
}  // namespace gossamer

using namespace gossamer;

const char* goss_version(void) {
  return "0.1.0";
}

const char* goss_status_string(goss_status status) {
  switch (status) {
    case GOSS_OK:
      return "ok";
    case GOSS_ERR_ARGUMENT:
      return "invalid argument";
    case GOSS_ERR_MISMATCH:
      return "ranks disagree";
    case GOSS_ERR_MEMORY:
      return "out of memory";
    case GOSS_ERR_TIMEOUT:
      return "a peer did not answer in time";
    case GOSS_ERR_PEER:
      return "a peer died or cut its connection";
    case GOSS_ERR_CORRUPT:
      return "received bytes are corrupt";
    case GOSS_ERR_NUMERIC:
      return "NaN or Inf";
    case GOSS_ERR_UNSUPPORTED:
      return "unsupported";
    case GOSS_ERR_SYSTEM:
      return "operating system or network error";
    case GOSS_ERR_INTERNAL:
      return "internal error";
  }
  return "unknown status";
}

const char* goss_last_error(void) {
  return last_error().c_str();
}
const char* goss_codec_name(int index) {
  return name_at(codecs(), index);
}
const char* goss_topology_name(int index) {
  return name_at(topologies(), index);
}
const char* goss_transport_name(int index) {
  return name_at(transports(), index);
}
