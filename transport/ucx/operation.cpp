#include "transport/ucx/operation.hpp"

namespace gossamer::ucx {

Operation& OperationPool::take() {
  if (unused_ == nullptr) {
    blocks_.push_back(std::make_unique<std::array<Operation, kBlock>>());
    for (Operation& operation : *blocks_.back()) give_back(operation);
  }
  Operation& operation = *unused_;
  unused_ = operation.next;
  operation.previous = nullptr;
  operation.next = in_use_;
  if (in_use_ != nullptr) in_use_->previous = &operation;
  in_use_ = &operation;
  return operation;
}

void OperationPool::give_back(Operation& operation) noexcept {
  operation.next = unused_;
  unused_ = &operation;
}

void OperationPool::unlink(Operation& operation) noexcept {
  (operation.previous != nullptr ? operation.previous->next : in_use_) = operation.next;
  if (operation.next != nullptr) operation.next->previous = operation.previous;
}

void OperationPool::release(Operation& operation) noexcept {
  unlink(operation);
  give_back(operation);
}

void OperationPool::complete(Operation& operation) noexcept {
  unlink(operation);
  operation.next = nullptr;
  (last_completed_ != nullptr ? last_completed_->next : first_completed_) = &operation;
  last_completed_ = &operation;
}

Operation* OperationPool::take_completed() noexcept {
  Operation* const operation = first_completed_;
  if (operation == nullptr) return nullptr;
  first_completed_ = operation->next;
  if (first_completed_ == nullptr) last_completed_ = nullptr;
  return operation;
}

}  // namespace gossamer::ucx
