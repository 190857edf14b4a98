#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gossamer/gossamer.h"
#include "tests/run_ranks.hpp"

/// The C API for tests: handles that end themselves, and failures as exceptions with the library's own words.
namespace gossamer::test {

inline void ok(goss_status status, const std::string& what) {
  expect(status == GOSS_OK, what, ": ", goss_status_string(status), ": ", goss_last_error());
}

struct DestroyComm {
  void operator()(goss_comm* comm) const noexcept { goss_comm_destroy(comm); }
};
struct DestroyTensor {
  void operator()(goss_tensor* tensor) const noexcept { goss_tensor_destroy(tensor); }
};
using CommHandle = std::unique_ptr<goss_comm, DestroyComm>;
using TensorHandle = std::unique_ptr<goss_tensor, DestroyTensor>;

inline CommHandle make_comm(ThreadGroup& group, int rank, const std::string& config) {
  const goss_bootstrap bootstrap = group.bootstrap(rank);
  goss_comm* comm = nullptr;
  ok(goss_comm_create(&bootstrap, config.c_str(), &comm), "goss_comm_create " + config);
  return CommHandle(comm);
}

inline TensorHandle make_tensor(goss_comm* comm, const std::string& name, const std::vector<std::size_t>& dims,
                                const std::string& codec, goss_dtype dtype = GOSS_FLOAT32) {
  goss_tensor* tensor = nullptr;
  ok(goss_tensor_create(comm, name.c_str(), dtype, static_cast<int>(dims.size()), dims.data(), codec.c_str(), &tensor),
     "goss_tensor_create " + name + " " + codec);
  return TensorHandle(tensor);
}

inline std::size_t count_of(const std::vector<std::size_t>& dims) {
  std::size_t count = 1;
  for (const std::size_t dim : dims) count *= dim;
  return count;
}

}  // namespace gossamer::test
