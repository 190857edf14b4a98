#include "lib/task.hpp"

#include <new>

namespace gossamer {

FramePool::~FramePool() {
  for (Header* head : free_) {
    while (head != nullptr) {
      Header* next = head->next;
      ::operator delete(head);
      head = next;
    }
  }
}

void* FramePool::allocate(std::size_t bytes) {
  const std::size_t size_class = class_of(bytes);
  Header* block = nullptr;
  if (size_class < kClasses && free_[size_class] != nullptr) {
    block = free_[size_class];
    free_[size_class] = block->next;
  } else {
    const std::size_t rounded = (size_class + 1) * kGranule;
    block = static_cast<Header*>(::operator new(sizeof(Header) + rounded));
  }
  block->pool = this;
  return block + 1;
}

void FramePool::release(void* frame, std::size_t bytes) noexcept {
  Header* block = static_cast<Header*>(frame) - 1;
  const std::size_t size_class = class_of(bytes);
  if (size_class >= kClasses) {
    ::operator delete(block);
    return;
  }
  block->next = block->pool->free_[size_class];
  block->pool->free_[size_class] = block;
}

}  // namespace gossamer
