#pragma once

#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/tensor.hpp"

namespace gossamer {

struct ModelGroupMember {
  ModelGroupMember(Engine& engine, std::string member_name, Shape member_shape)
      : name(std::move(member_name)), shape(std::move(member_shape)), done(engine) {}
  std::string name;
  Shape shape;
  std::size_t offset = 0;  ///< of its first element in the whole, once the group is sealed
  Signal done;
};

/// Tensors that a codec sees as one vector (granularity=model), in the order of their names. A call on one of them ends
/// when all have been posted on all ranks and the whole has been exchanged.
class ModelGroup {
 public:
  using Member = ModelGroupMember;

  ModelGroup(const World& world, std::string codec) : world_(world), codec_(std::move(codec)) {}

  /// Name of the whole in messages and errors.
  [[nodiscard]] std::string name() const { return "model of " + codec_; }
  /// A new member, or null once the group is sealed. Any thread.
  Member* add(const std::string& name, const Shape& shape);
  /// The tensor that is exchanged. Seals the group: what is registered later goes by itself. Any thread.
  Tensor& whole();
  [[nodiscard]] bool sealed();
  [[nodiscard]] bool leads(const Member& member) const noexcept { return &member == order_.front(); }

  /// A member's part of the call. Its share of the traffic and the time is added to `call`.
  static Task exchange(Call& call, ModelGroup& self, Member& member, std::byte* data, Op op);

 private:
  void seal();
  void share(Call& call, const Member& member) const;

  World world_;
  std::string codec_;
  std::mutex mutex_;  // guards members_ and whole_ until the group is sealed
  std::deque<Member> members_;
  std::vector<Member*> order_;
  std::vector<float> values_;
  std::unique_ptr<Tensor> whole_;

  // Of the call under way; the driving thread's.
  std::size_t arrived_ = 0;
  Op op_ = Op::sum;
  std::exception_ptr error_;
};

}  // namespace gossamer
