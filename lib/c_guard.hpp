#pragma once

#include <cmath>
#include <exception>
#include <new>
#include <string>

#include "gossamer/gossamer.h"
#include "lib/base/error.hpp"
#include "lib/communicator.hpp"

/// The boundary between C callers and the library: no exception passes it, every failure leaves its words behind.
namespace gossamer {

/// The calling thread's last failure.
std::string& last_error() noexcept;

inline goss_status report(Status status, const char* words) noexcept {
  try {
    last_error() = words;
  } catch (...) {
    last_error().clear();
  }
  return static_cast<goss_status>(status);
}

/// Runs `body` and turns what it throws into a status.
template <typename Body>
goss_status guard(Body&& body) noexcept {
  try {
    body();
    return GOSS_OK;
  } catch (const Error& error) {
    return report(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return report(Status::memory, "out of memory");
  } catch (const std::exception& error) {
    return report(Status::internal, error.what());
  } catch (...) {
    return report(Status::internal, "an unknown exception");
  }
}

/// Throws `argument` naming the parameter when it is NULL.
template <typename T>
T& required(T* pointer, const char* name) {
  if (pointer == nullptr) fail(Status::argument, name, " is NULL");
  return *pointer;
}

inline Communicator& comm_of(const goss_comm* comm) {
  return required(reinterpret_cast<Communicator*>(const_cast<goss_comm*>(comm)), "comm");
}
inline TensorSlot& slot_of(const goss_tensor* tensor) {
  return required(reinterpret_cast<TensorSlot*>(const_cast<goss_tensor*>(tensor)), "tensor");
}

/// A shape from C arguments; throws `argument` for an unknown dtype, NULL dims, or a size that overflows.
Shape shape_of(goss_dtype dtype, int ndim, const size_t* dims);

}  // namespace gossamer
