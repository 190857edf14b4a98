#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "transport/transport.hpp"

namespace gossamer::ucx {

class UcxEndpoint;

/// What stands between UCX's request and the caller's Transfer, so that either may end first.
struct Operation {
  Transfer* transfer = nullptr;  ///< null when abandoned
  UcxEndpoint* endpoint = nullptr;
  void* request = nullptr;  ///< UCX's, until its callback has run
  int peer = -1;
  bool is_send = false;
  Status status = Status::ok;
  std::size_t bytes = 0;
  Operation* previous = nullptr;  ///< among the operations in use
  Operation* next = nullptr;      ///< among those in use, completed, or unused
};

/// Operations in blocks that are never given back: nothing is allocated once the number in flight stops growing.
class OperationPool {
 public:
  /// An operation in the list of those in use.
  Operation& take();
  /// Ends an operation that take() gave and that was never completed.
  void release(Operation& operation) noexcept;
  /// Ends an operation that take_completed() gave.
  void give_back(Operation& operation) noexcept;
  /// The first of those in use; walk them by `next`.
  [[nodiscard]] Operation* in_use() const noexcept { return in_use_; }

  /// Moves an operation from those in use to the end of the completed.
  void complete(Operation& operation) noexcept;
  /// The oldest completed, to be given back by the caller; null when there is none.
  Operation* take_completed() noexcept;
  [[nodiscard]] bool any_completed() const noexcept { return first_completed_ != nullptr; }

 private:
  void unlink(Operation& operation) noexcept;

  static constexpr std::size_t kBlock = 64;

  std::vector<std::unique_ptr<std::array<Operation, kBlock>>> blocks_;
  Operation* unused_ = nullptr;
  Operation* in_use_ = nullptr;
  Operation* first_completed_ = nullptr;
  Operation* last_completed_ = nullptr;
};

}  // namespace gossamer::ucx
