#include "tools/perf_session.hpp"

#include <algorithm>
#include <string>

#include "lib/base/error.hpp"
#include "tools/perf_input.hpp"

namespace gossamer::tools {
namespace {

TensorHandle create(goss_comm* comm, const TensorShape& shape, goss_dtype dtype, const char* codec) {
  goss_tensor* tensor = nullptr;
  expect_ok(goss_tensor_create(comm, shape.name.c_str(), dtype, static_cast<int>(shape.dims.size()), shape.dims.data(),
                               codec, &tensor),
            "registering a tensor");
  return TensorHandle(tensor);
}

}  // namespace

void expect_ok(goss_status status, const char* what) {
  if (status != GOSS_OK) fail(static_cast<Status>(status), what, ": ", goss_last_error());
}

void Session::barrier() {
  expect_ok(goss_barrier(comm()), "barrier");
}

std::string Session::describe() const {
  std::string text(1 << 20, '\0');
  expect_ok(goss_comm_describe(comm(), text.data(), text.size()), "describing the communicator");
  text.resize(text.find('\0'));
  return text;
}

std::vector<double> Session::sum(std::span<const double> mine) {
  std::vector<double> values(mine.begin(), mine.end());
  const TensorShape shape{"perf.helper." + std::to_string(helpers_++), {values.size()}};
  const TensorHandle tensor = create(comm(), shape, GOSS_FLOAT64, "identity");
  expect_ok(goss_allreduce(tensor.get(), values.data(), GOSS_SUM), "gathering results");
  return values;
}

std::vector<double> Session::gather(std::span<const double> mine) {
  std::vector<double> all(mine.size() * static_cast<std::size_t>(size_), 0.0);
  std::copy(mine.begin(), mine.end(), all.begin() + static_cast<std::ptrdiff_t>(mine.size()) * rank_);
  return sum(all);
}

CaseTensors::CaseTensors(Session& session, const Case& shapes, goss_dtype dtype, const char* codec)
    : element_(element_size(dtype)) {
  for (const TensorShape& shape : shapes) {
    tensors_.push_back(create(session.comm(), shape, dtype, codec));
    counts_.push_back(shape.count());
    count_ += shape.count();
  }
  requests_.resize(tensors_.size());
}

void CaseTensors::call(std::byte* data, PerfOp op) {
  if (op == PerfOp::push) {
    push(data);
    pull(data);
    return;
  }
  const goss_op reduction = op == PerfOp::mean ? GOSS_MEAN : GOSS_SUM;
  const char* what = op == PerfOp::mix ? "a round of gossip" : "all-reduce";
  if (tensors_.size() == 1) {
    goss_tensor* tensor = tensors_.front().get();
    expect_ok(op == PerfOp::mix ? goss_mix(tensor, data) : goss_allreduce(tensor, data, reduction), what);
    return;
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    goss_tensor* tensor = tensors_[i].get();
    expect_ok(op == PerfOp::mix ? goss_imix(tensor, data, &requests_[i])
                                : goss_iallreduce(tensor, data, reduction, &requests_[i]),
              what);
    data += counts_[i] * element_;
  }
  expect_ok(goss_wait_all(static_cast<int>(requests_.size()), requests_.data()), what);
}

void CaseTensors::push(std::byte* data) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    expect_ok(goss_push(tensors_[i].get(), data), "push");
    data += counts_[i] * element_;
  }
}

void CaseTensors::pull(std::byte* data) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    expect_ok(goss_pull(tensors_[i].get(), data, nullptr), "pull");
    data += counts_[i] * element_;
  }
}

double CaseTensors::weight_at(std::size_t element) const {
  std::size_t i = 0;
  for (; element >= counts_[i]; ++i) element -= counts_[i];
  double weight = 0;
  expect_ok(goss_tensor_weight(tensors_[i].get(), &weight), "weight");
  return weight;
}

goss_stats CaseTensors::stats() const {
  goss_stats total{};
  for (const TensorHandle& tensor : tensors_) {
    goss_stats each{};
    each.struct_size = sizeof each;
    expect_ok(goss_tensor_stats(tensor.get(), &each), "statistics");
    total.bytes_sent += each.bytes_sent;
    total.encode_seconds += each.encode_seconds;
    total.reduce_seconds += each.reduce_seconds;
    total.decode_seconds += each.decode_seconds;
    // Tensors in flight together wait at the same time: their mean, not their sum.
    total.wait_seconds += each.wait_seconds / static_cast<double>(tensors_.size());
  }
  return total;
}

std::vector<float> CaseTensors::residual() const {
  std::vector<float> values(count_);
  float* place = values.data();
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    expect_ok(goss_tensor_residual(tensors_[i].get(), place), "residual");
    place += counts_[i];
  }
  return values;
}

void CaseTensors::reset() {
  for (const TensorHandle& tensor : tensors_) expect_ok(goss_tensor_reset(tensor.get()), "reset");
}

}  // namespace gossamer::tools
