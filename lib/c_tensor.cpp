#include <algorithm>

#include "lib/apply.hpp"
#include "lib/c_guard.hpp"

using namespace gossamer;

namespace {

using Form = Communicator::Form;

std::byte* data_of(const TensorSlot& slot, void* data) {
  if (slot.tensor->shape().count() > 0) required(static_cast<std::byte*>(data), "data");
  return static_cast<std::byte*>(data);
}

Op op_of(goss_op op) {
  if (op != GOSS_SUM && op != GOSS_MEAN)
    fail(Status::argument, "op ", static_cast<int>(op), " is neither GOSS_SUM nor GOSS_MEAN");
  return static_cast<Op>(op);
}

/// Checks arguments and starts a call; afterwards it is collected by goss_wait or by the blocking form.
void start_all_reduce(goss_tensor* tensor, void* data, goss_op op, Form form) {
  TensorSlot& slot = slot_of(tensor);
  std::byte* values = data_of(slot, data);
  const Op operation = op_of(op);
  slot.comm->start(slot, "all-reduce", form, [&] { return slot.tensor->all_reduce(values, operation); });
}

void start_mix(goss_tensor* tensor, void* data, Form form) {
  TensorSlot& slot = slot_of(tensor);
  std::byte* values = data_of(slot, data);
  slot.comm->expect_idle(slot);
  slot.tensor->prepare_gossip();
  slot.comm->start(slot, "gossip", form, [&] { return slot.tensor->mix(values); });
}

void start_broadcast(goss_tensor* tensor, void* data, int root) {
  TensorSlot& slot = slot_of(tensor);
  std::byte* values = data_of(slot, data);
  if (root < 0 || root >= slot.comm->size()) {
    fail(Status::argument, "root ", root, " is not a rank from 0 to ", slot.comm->size() - 1);
  }
  slot.comm->start(slot, "broadcast", Form::blocking, [&] { return slot.tensor->broadcast(values, root); });
}

void collect(goss_tensor* tensor) {
  TensorSlot& slot = slot_of(tensor);
  slot.comm->collect(slot);
}

// A request is the tensor it is about: one call at a time each, so nothing more needs to be kept.
goss_request* request_of(goss_tensor* tensor) {
  return reinterpret_cast<goss_request*>(tensor);
}
goss_tensor* tensor_of(goss_request* request) {
  return reinterpret_cast<goss_tensor*>(request);
}

[[noreturn]] void refuse_push_sum(const char* function) {
  fail(Status::unsupported, function, ": push-sum gossip is not in version ", goss_version());
}

}  // namespace

goss_status goss_tensor_create(goss_comm* comm, const char* name, goss_dtype dtype, int ndim, const size_t* dims,
                               const char* codec, goss_tensor** tensor) {
  return guard([&] {
    Communicator& communicator = comm_of(comm);
    required(tensor, "tensor");
    TensorSlot& slot =
        communicator.create_tensor(&required(name, "name"), shape_of(dtype, ndim, dims), codec == nullptr ? "" : codec);
    *tensor = reinterpret_cast<goss_tensor*>(&slot);
  });
}

void goss_tensor_destroy(goss_tensor* tensor) {
  if (tensor == nullptr) return;
  TensorSlot& slot = slot_of(tensor);
  slot.comm->destroy_tensor(slot);
}

goss_status goss_allreduce(goss_tensor* tensor, void* data, goss_op op) {
  return guard([&] {
    start_all_reduce(tensor, data, op, Form::blocking);
    collect(tensor);
  });
}

goss_status goss_iallreduce(goss_tensor* tensor, void* data, goss_op op, goss_request** request) {
  return guard([&] {
    required(request, "request");
    start_all_reduce(tensor, data, op, Form::non_blocking);
    *request = request_of(tensor);
  });
}

goss_status goss_mix(goss_tensor* tensor, void* data) {
  return guard([&] {
    start_mix(tensor, data, Form::blocking);
    collect(tensor);
  });
}

goss_status goss_imix(goss_tensor* tensor, void* data, goss_request** request) {
  return guard([&] {
    required(request, "request");
    start_mix(tensor, data, Form::non_blocking);
    *request = request_of(tensor);
  });
}

goss_status goss_broadcast(goss_tensor* tensor, void* data, int root) {
  return guard([&] {
    start_broadcast(tensor, data, root);
    collect(tensor);
  });
}

goss_status goss_push(goss_tensor* tensor, void*) {
  return guard([&] {
    slot_of(tensor);
    refuse_push_sum("goss_push");
  });
}

goss_status goss_pull(goss_tensor* tensor, void*, int*) {
  return guard([&] {
    slot_of(tensor);
    refuse_push_sum("goss_pull");
  });
}

goss_status goss_tensor_weight(const goss_tensor* tensor, double* weight) {
  return guard([&] {
    const TensorSlot& slot = slot_of(tensor);
    slot.comm->expect_idle(slot);
    required(weight, "weight") = slot.tensor->weight();
  });
}

goss_status goss_wait(goss_request** request) {
  return guard([&] {
    if (required(request, "request") == nullptr) return;
    goss_tensor* tensor = tensor_of(*request);
    *request = nullptr;
    collect(tensor);
  });
}

goss_status goss_wait_all(int count, goss_request** requests) {
  goss_status first = GOSS_OK;
  std::string words;
  for (int i = 0; i < count; ++i) {
    if (requests == nullptr) return guard([&] { required(requests, "requests"); });
    const goss_status status = goss_wait(&requests[i]);
    if (first != GOSS_OK || status == GOSS_OK) continue;
    first = status;
    words = goss_last_error();
  }
  return first == GOSS_OK ? GOSS_OK : report(static_cast<Status>(first), words.c_str());
}

goss_status goss_test(goss_request** request, int* done) {
  return guard([&] {
    required(done, "done");
    if (required(request, "request") == nullptr) {
      *done = 1;
      return;
    }
    TensorSlot& slot = slot_of(tensor_of(*request));
    *done = slot.comm->poll(slot) ? 1 : 0;
    if (*done == 0) return;
    *request = nullptr;
    slot.comm->collect(slot);
  });
}

goss_status goss_tensor_residual(goss_tensor* tensor, float* out) {
  return guard([&] {
    TensorSlot& slot = slot_of(tensor);
    slot.comm->expect_idle(slot);
    const std::size_t count = slot.tensor->shape().count();
    if (count > 0) slot.tensor->copy_residual({&required(out, "out"), count});
  });
}

goss_status goss_tensor_save(goss_tensor* tensor, void* buffer, size_t capacity, size_t* bytes) {
  return guard([&] {
    TensorSlot& slot = slot_of(tensor);
    required(bytes, "bytes");
    slot.comm->expect_idle(slot);
    const std::size_t needed = slot.tensor->saved_bytes();
    if (buffer != nullptr) {
      if (capacity < needed)
        fail(Status::argument, "capacity is ", capacity, " bytes; the state of '", slot.tensor->name(), "' has ",
             needed);
      slot.tensor->save({static_cast<std::byte*>(buffer), needed});
    }
    *bytes = needed;
  });
}

goss_status goss_tensor_load(goss_tensor* tensor, const void* buffer, size_t bytes) {
  return guard([&] {
    TensorSlot& slot = slot_of(tensor);
    slot.comm->expect_idle(slot);
    slot.tensor->load({&required(static_cast<const std::byte*>(buffer), "buffer"), bytes});
  });
}

goss_status goss_tensor_reset(goss_tensor* tensor) {
  return guard([&] {
    TensorSlot& slot = slot_of(tensor);
    slot.comm->expect_idle(slot);
    slot.tensor->reset();
  });
}

goss_status goss_tensor_second_moments(goss_tensor* tensor, const float* moments) {
  return guard([&] {
    TensorSlot& slot = slot_of(tensor);
    slot.comm->expect_idle(slot);
    const std::size_t count = slot.tensor->shape().count();
    slot.tensor->take_second_moments({count > 0 ? &required(moments, "moments") : moments, count});
  });
}

goss_status goss_codec_apply(const char* codec, const float* in, float* out, int ndim, const size_t* dims,
                             uint64_t seed, size_t* payload_bytes) {
  return guard([&] {
    const Shape shape = shape_of(GOSS_FLOAT32, ndim, dims);
    const std::size_t count = shape.count();
    if (count > 0) required(in, "in"), required(out, "out");
    const std::size_t bytes = apply_codec(&required(codec, "codec"), {in, count}, {out, count}, shape, seed);
    required(payload_bytes, "payload_bytes") = bytes;
  });
}
