#include "lib/model_group.hpp"

#include <algorithm>
#include <cstring>

#include "lib/staging.hpp"

namespace gossamer {

ModelGroup::Member* ModelGroup::add(const std::string& name, const Shape& shape) {
  const std::lock_guard lock(mutex_);
  if (whole_) return nullptr;
  return &members_.emplace_back(world_.engine, name, shape);
}

Tensor& ModelGroup::whole() {
  const std::lock_guard lock(mutex_);
  if (!whole_) seal();
  return *whole_;
}

bool ModelGroup::sealed() {
  const std::lock_guard lock(mutex_);
  return whole_ != nullptr;
}

void ModelGroup::seal() {
  for (Member& member : members_) order_.push_back(&member);
  // Ranks may have registered in different orders.
  std::sort(order_.begin(), order_.end(), [](const Member* a, const Member* b) { return a->name < b->name; });
  std::size_t count = 0;
  std::uint64_t identity = fnv1a(codec_.data(), codec_.size());
  for (Member* member : order_) {
    member->offset = count;
    count += member->shape.count();
    identity = fnv1a(member->name.data(), member->name.size() + 1, identity);
  }
  const Shape shape{DType::float32, {count}};
  values_.resize(count);
  whole_ = std::make_unique<Tensor>(world_, name(), shape, make_codec(codec_, shape));
  whole_->set_identity(static_cast<std::uint32_t>(identity ^ identity >> 32));
}

Task ModelGroup::exchange(Call& call, ModelGroup& self, Member& member, std::byte* data, Op op) {
  Tensor& whole = self.whole();
  if (self.arrived_ == 0) self.op_ = op;
  if (op != self.op_)
    fail(Status::argument, "'", member.name, "' is to be all-reduced by another op than the rest of its model");
  const std::span<float> mine = std::span(self.values_).subspan(member.offset, member.shape.count());
  const MutableBytes bytes(data, member.shape.bytes());
  stage_in(member.shape.dtype, bytes, mine);
  if (++self.arrived_ < self.members_.size()) {
    call.at("waiting for the rest of the model, tensor", self.arrived_ - 1, self.members_.size());
    member.done.expect();
    co_await member.done.raised(call);
  } else {
    self.arrived_ = 0;
    self.error_ = nullptr;
    try {
      co_await whole.all_reduce(reinterpret_cast<std::byte*>(self.values_.data()), op);
    } catch (...) {
      self.error_ = std::current_exception();
    }
    for (Member* each : self.order_) {
      if (each != &member) each->done.raise();
    }
  }
  if (self.error_) std::rethrow_exception(self.error_);
  stage_out(member.shape.dtype, mine, bytes);
  self.share(call, member);
}

void ModelGroup::share(Call& call, const Member& member) const {
  if (values_.empty()) return;
  const Call& all = whole_->last_call();
  const double part = static_cast<double>(member.shape.count()) / static_cast<double>(values_.size());
  call.traffic.sent = static_cast<std::uint64_t>(static_cast<double>(all.traffic.sent) * part);
  call.traffic.received = static_cast<std::uint64_t>(static_cast<double>(all.traffic.received) * part);
  call.time.encode = all.time.encode * part;
  call.time.reduce = all.time.reduce * part;
  call.time.decode = all.time.decode * part;
}

}  // namespace gossamer
