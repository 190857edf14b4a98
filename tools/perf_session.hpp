#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/include/gossamer/gossamer.h"
#include "tools/perf.hpp"

namespace gossamer::tools {

/// Throws Error with the status and goss_last_error() unless `status` is GOSS_OK.
void expect_ok(goss_status status, const char* what);

struct TensorDeleter {
  void operator()(goss_tensor* tensor) const noexcept { goss_tensor_destroy(tensor); }
};
using TensorHandle = std::unique_ptr<goss_tensor, TensorDeleter>;

/// One rank's communicator, and what measuring needs of it. All functions are collective.
class Session {
 public:
  explicit Session(goss_comm* owned) : comm_(owned), rank_(goss_comm_rank(owned)), size_(goss_comm_size(owned)) {}

  [[nodiscard]] goss_comm* comm() const noexcept { return comm_.get(); }
  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  void barrier();
  /// What goss_comm_describe says; local.
  [[nodiscard]] std::string describe() const;
  /// The ranks' `mine` (all of one length) added up, uncompressed.
  std::vector<double> sum(std::span<const double> mine);
  /// The ranks' `mine` (all of one length) one after another.
  std::vector<double> gather(std::span<const double> mine);

 private:
  struct CommDeleter {
    void operator()(goss_comm* comm) const noexcept { goss_comm_destroy(comm); }
  };
  std::unique_ptr<goss_comm, CommDeleter> comm_;
  int rank_;
  int size_;
  unsigned long long helpers_ = 0;  // helper tensors made so far: each has a name of its own
};

/// The registered tensors of a case. Their elements lie one after another in the buffers that calls take.
class CaseTensors {
 public:
  /// `codec` null: the communicator's.
  CaseTensors(Session& session, const Case& shapes, goss_dtype dtype, const char* codec = nullptr);

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return count_ * element_; }
  /// Blocking, in place; several tensors are all posted first and then waited for, but pushed and pulled one by one.
  void call(std::byte* data, PerfOp op);
  /// Folds in what has been pushed to this rank. Never waits.
  void pull(std::byte* data);
  /// Of push-sum: that of the tensor to which this element belongs; local.
  [[nodiscard]] double weight_at(std::size_t element) const;
  /// Summed over the tensors, except wait_seconds: their mean; local.
  [[nodiscard]] goss_stats stats() const;
  /// count() floats; local.
  [[nodiscard]] std::vector<float> residual() const;
  void reset();

 private:
  void push(std::byte* data);

  std::vector<TensorHandle> tensors_;
  std::vector<std::size_t> counts_;
  std::vector<goss_request*> requests_;
  std::size_t count_ = 0;
  std::size_t element_;
};

}  // namespace gossamer::tools
