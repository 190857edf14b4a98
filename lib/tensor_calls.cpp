#include <algorithm>

#include "compress/kernels.hpp"
#include "lib/gossip.hpp"
#include "lib/gossip/asynchronous.hpp"
#include "lib/intent.hpp"
#include "lib/model_group.hpp"
#include "lib/rounds.hpp"
#include "lib/staging.hpp"
#include "lib/tensor.hpp"

namespace gossamer {
namespace {

/// Divides before the sum: for types whose sums overflow.
class Prescale final : public Loader {
 public:
  Prescale(const InPlaceCodec& codec, double scale) noexcept : codec_(codec), scale_(scale) {}
  void load(Part part, std::byte* values) override { codec_.rescale(scale_, {values, part.count, part.offset}); }

 private:
  const InPlaceCodec& codec_;
  double scale_;
};

/// values = (values + residual) · scale; `residual` empty: none
void add_residual(std::span<float> values, std::span<const float> residual, float scale) noexcept {
  if (residual.empty()) {
    if (scale != 1) {
      for (float& value : values) value *= scale;
    }
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = (values[i] + residual[i]) * scale;
}

/// The same when a hop first touches a part: while it is in the cache anyway.
class AddResidual final : public Loader {
 public:
  AddResidual(std::span<const float> residual, float scale) noexcept : residual_(residual), scale_(scale) {}
  void load(Part part, std::byte* values) override {
    add_residual({reinterpret_cast<float*>(values), part.count},
                 residual_.empty() ? residual_ : residual_.subspan(part.offset, part.count), scale_);
  }

 private:
  std::span<const float> residual_;
  float scale_;
};

}  // namespace

/// The coroutines of a tensor's calls, each from agreement to result.
struct Tensor::Calls {
  /// All ranks mean the same call and have finite inputs, or all throw the same before anything is touched.
  static Task agree(Call& call, Tensor& self, Intent intent) {
    const MutableBytes all(self.records_);
    const std::size_t size = all.size() / static_cast<std::size_t>(self.world_.size);
    ByteWriter record(all.subspan(own_record(self.world_.legs) * size, size));
    record.put(intent);
    if (self.chooses()) record.put(self.reductions_->measured());
    co_await gather_records(call, self.world_.legs, Phase::agree, {all, size});
    ByteReader reader(all);
    Measured measured;
    for (int i = 0; i < self.world_.size; ++i) {
      const auto other = reader.get<Intent>();
      if (self.chooses()) add(measured, reader.get<Measured>(), self.world_.size);
      if (!other.same_call(intent)) {
        fail(Status::mismatch, "on '", self.name(), "' rank ", other.rank, " calls ", other.describe(), " while rank ",
             intent.rank, " calls ", intent.describe());
      }
      if (other.finite == 0)
        fail(Status::numeric, "the input of rank ", other.rank, " to '", self.name(), "' has NaN or Inf");
    }
    if (self.chooses()) self.reductions_->choose(measured);
  }
  /// In the order of the records, which is the same on all ranks: so is the sum.
  static void add(Measured& all, const Measured& one, int ranks) noexcept {
    all.own += one.own / static_cast<float>(ranks);
    all.sum = std::max(all.sum, one.sum);
    all.age = std::max(all.age, one.age);
  }

  static Task all_reduce(Call& call, Tensor& self, std::byte* data, Op op) {
    const double mean = op == Op::mean ? 1.0 / self.world_.size : 1.0;
    bool finite = true;
    if (!self.exact()) {
      const Stopwatch watch(call.time.encode);
      finite = kernels::all_finite(self.shape_.dtype, Bytes(data, self.shape_.bytes()));
    }
    const auto identity = static_cast<std::int32_t>(self.identity_ >> 2);
    co_await agree(call, self,
                   {self.world_.rank, Intent::all_reduce, static_cast<std::int32_t>(op) + 2 * identity, finite});
    if (self.exact()) {
      co_await exact_sum(call, self, data, mean);
    } else {
      float* values = self.staged_.empty() ? reinterpret_cast<float*>(data) : self.staged_.data();
      if (!self.staged_.empty()) stage_in(self.shape_.dtype, Bytes(data, self.shape_.bytes()), self.staged_);
      if (self.linear_ != nullptr) {
        co_await linear_sum(call, self, values, static_cast<float>(mean));
      } else {
        co_await stepwise_sum(call, self, values, static_cast<float>(mean));
      }
      if (!self.staged_.empty()) stage_out(self.shape_.dtype, self.staged_, MutableBytes(data, self.shape_.bytes()));
    }
  }

  static Task exact_sum(Call& call, Tensor& self, std::byte* data, double mean) {
    const bool half = size_of(self.shape_.dtype) == 2;
    Prescale prescale(*self.in_place_, mean);
    Ground ground;
    ground.data = data;
    ground.result_scale = half ? 1 : mean;
    ground.check_finite = self.world_.nonfinite_is_error;
    co_await self.reductions_->all_reduce().run(call, ground, half && mean != 1 ? &prescale : nullptr);
  }

  /// Re-encode and merge codecs. A mean is divided before the sum, so that no narrow code overflows.
  static Task stepwise_sum(Call& call, Tensor& self, float* values, float mean) {
    const std::span<float> tensor(values, self.shape_.count());
    const Chunk chunk{reinterpret_cast<std::byte*>(values), tensor.size(), 0};
    const StepContext context = self.context(self.calls_, mean);
    Codec& codec = self.reductions_->codec();
    const bool whole = codec.surveys();
    {
      const Stopwatch watch(call.time.encode);
      if (self.conditioner_ != nullptr) self.conditioner_->condition(chunk, context);
      if (whole) add_residual(tensor, self.residual_, mean);
      codec.begin(chunk, context);
    }
    if (self.maxima_ != nullptr) {
      Ground maxima;
      maxima.data = reinterpret_cast<std::byte*>(self.maxima_->maxima().data());
      co_await self.share_maxima_->run(call, maxima, nullptr);
    }
    Ground ground;
    ground.data = reinterpret_cast<std::byte*>(values);
    ground.residual = self.residual_.empty() ? nullptr : self.residual_.data();
    ground.input_scale = mean;
    ground.check_finite = true;
    ground.entries = self.reductions_->entries();
    AddResidual complete(self.residual_, mean);
    co_await self.reductions_->all_reduce().run(call, ground, whole ? nullptr : &complete);
    self.reductions_->called();
    if (auto* balanced = dynamic_cast<Balanced*>(&codec)) {
      const Stopwatch watch(call.time.decode);
      balanced->learn(tensor);
    }
  }

  static Task linear_sum(Call& call, Tensor& self, float* values, float mean) {
    const std::span<float> tensor(values, self.shape_.count());
    {
      const Stopwatch watch(call.time.encode);
      add_residual(tensor, self.residual_, 1);
      self.linear_->begin({reinterpret_cast<std::byte*>(values), tensor.size(), 0}, self.context(self.calls_, 1));
    }
    if (Learner* learner = learner_of(*self.linear_)) {
      Ground ground;
      ground.data = reinterpret_cast<std::byte*>(values);
      ground.check_finite = true;
      co_await self.rounds_->dense->run(call, ground, nullptr);
      const Stopwatch watch(call.time.decode);
      learner->learn(tensor);
      std::fill(self.residual_.begin(), self.residual_.end(), 0.0F);
      add_residual(tensor, {}, mean);
      co_return;
    }
    for (int i = 0; i < self.linear_->rounds(); ++i) {
      if (!runs(*self.linear_, i)) continue;
      Rounds::Round& round = self.rounds_->rounds[static_cast<std::size_t>(i)];
      Ground ground;
      ground.data = reinterpret_cast<std::byte*>(round.vector.data());
      ground.check_finite = true;
      co_await round.all_reduce->run(call, ground, &round.projection);
      const Stopwatch watch(call.time.decode);
      self.linear_->absorb(i, round.vector);
    }
    const Stopwatch watch(call.time.decode);
    take_linear_result(self, tensor, mean);
  }

  /// Every rank keeps its input less its own part of the sum, where that is known, or else less an equal share: either
  /// way residuals sum to what the sum lacks.
  static void take_linear_result(Tensor& self, std::span<float> tensor, float mean) {
    const std::span<float> block(self.rounds_->block);
    for (std::size_t start = 0; start < tensor.size(); start += block.size()) {
      const std::size_t count = std::min(block.size(), tensor.size() - start);
      self.linear_->reconstruct(start, block.first(count));
      float* values = tensor.data() + start;
      if (!self.residual_.empty()) keep_residual(self, start, {values, count}, block);
      for (std::size_t i = 0; i < count; ++i) values[i] = block[i] * mean;
    }
  }

  static void keep_residual(Tensor& self, std::size_t start, std::span<const float> values,
                            std::span<const float> sum) {
    const std::span<float> residual = std::span(self.residual_).subspan(start, values.size());
    if (self.own_part_ != nullptr) {
      self.own_part_->contribution(start, values, residual);
      for (std::size_t i = 0; i < values.size(); ++i) residual[i] = values[i] - residual[i];
    } else {
      const float share = 1.0F / static_cast<float>(self.world_.size);
      for (std::size_t i = 0; i < values.size(); ++i) residual[i] = values[i] - sum[i] * share;
    }
  }

  static Task broadcast(Call& call, Tensor& self, std::byte* data, int root) {
    co_await agree(call, self, {self.world_.rank, Intent::broadcast, root, 1});
    std::vector<std::size_t> digits;
    for (const Dimension& dimension : self.world_.topology.dimensions()) {
      digits.push_back(self.world_.topology.digit(root, dimension));
    }
    co_await gossamer::broadcast(call, self.world_.legs, std::move(digits), {data, self.shape_.bytes()});
  }

  /// Local steps, mostly, if so configured; else an exchange, of which an outer optimiser may make its step.
  static Task mix(Call& call, Tensor& self, std::byte* data) {
    Gossip& gossip = *self.gossip_;
    if (!self.world_.gossip.exchanges(self.mixes_++)) co_return;
    if (gossip.mixer) {
      co_await mix_with_neighbours(call, self, data);
    } else if (gossip.groups) {
      co_await mix_in_group(call, self, data);
    } else {
      co_await all_reduce(call, self, data, Op::mean);
    }
    if (!gossip.outer) co_return;
    const Stopwatch watch(call.time.reduce);
    const MutableBytes bytes(data, self.shape_.bytes());
    if (gossip.staged.empty()) {
      gossip.outer->step({reinterpret_cast<float*>(data), self.shape_.count()});
    } else {
      stage_in(self.shape_.dtype, bytes, gossip.staged);
      gossip.outer->step(gossip.staged);
      stage_out(self.shape_.dtype, gossip.staged, bytes);
    }
  }

  /// No rank waits for others than its neighbours: whether they mean the same call, their notes say.
  static Task mix_with_neighbours(Call& call, Tensor& self, std::byte* data) {
    Gossip& gossip = *self.gossip_;
    const Bytes bytes(data, self.shape_.bytes());
    const bool may_pass = gossip.entry.in_own_type && !self.world_.nonfinite_is_error;
    const bool staged = !gossip.entry.in_own_type && !gossip.staged.empty();
    if (staged) stage_in(self.shape_.dtype, bytes, gossip.staged);
    const DType dtype = staged ? DType::float32 : self.shape_.dtype;
    const MutableBytes model =
        staged ? std::as_writable_bytes(std::span(gossip.staged)) : MutableBytes(data, bytes.size());
    const Neighbourhood around = gossip.living(self.world_, self.gossip_rounds_++);
    StepContext context = self.context(self.gossip_rounds_, 1);
    context.ranks = 1;
    const GossipRound round{around,
                            {model.data(), self.shape_.count(), 0},
                            context,
                            may_pass || kernels::all_finite(self.shape_.dtype, bytes)};
    {
      const Stopwatch watch(call.time.encode);
      gossip.mixer->begin(round);
    }
    Note note{.method = gossip.method, .flags = round.finite ? 0U : Note::refused};
    gossip.mixer->tell(note);
    co_await exchange(call, around, *gossip.slots, *gossip.mixer, note);
    if (gossip.negotiator != nullptr) co_await negotiate(call, self, *gossip.negotiator);
    {
      const Stopwatch watch(call.time.reduce);
      gossip.mixer->end();
    }
    if (const std::optional<int> culprit = gossip.slots->refused_by()) {
      fail(Status::numeric, "the input of rank ", *culprit, " to '", self.name(), "' has NaN or Inf");
    }
    const bool sound = may_pass || (gossip.inspector != nullptr ? gossip.inspector->result_finite()
                                                                : kernels::all_finite(dtype, model));
    if (!sound) {
      fail(Status::numeric, "the round has made NaN or Inf of '", self.name(), "' on rank ", self.world_.rank,
           ": its step size is too large, or a neighbour sends nonsense");
    }
    if (staged) stage_out(self.shape_.dtype, gossip.staged, {data, self.shape_.bytes()});
  }

  /// Only the members of this rank's group need mean the same round, and have finite models.
  static Task mix_in_group(Call& call, Tensor& self, std::byte* data) {
    const std::uint64_t round = self.gossip_rounds_++;
    Tensor& group = self.gossip_->groups->in_round(round);
    const bool finite =
        !self.world_.nonfinite_is_error || kernels::all_finite(self.shape_.dtype, {data, self.shape_.bytes()});
    co_await agree(call, group,
                   {self.world_.rank, Intent::group_mean, static_cast<std::int32_t>(round % INT32_MAX), finite});
    co_await exact_sum(call, group, data, 1.0 / group.world_.size);
  }

  static Task negotiate(Call& call, Tensor& self, Negotiator& negotiator) {
    const std::optional<float> mine = negotiator.proposal();
    if (!mine) co_return;
    std::vector<float>& all = self.gossip_->proposals;
    all[own_record(self.world_.legs)] = *mine;
    co_await gather_records(call, self.world_.legs, Phase::agree,
                            {std::as_writable_bytes(std::span(all)), sizeof(float)});
    negotiator.settle(all);
  }

  /// From the first push or pull on, neighbours' messages are taken between calls as well.
  static Task open_mailbox(Call& call, Tensor& self) {
    if (self.mailbox_open_) co_return;
    co_await self.mailbox_->open(call);
    self.mailbox_open_ = true;
    self.world_.engine.hold();
  }

  static void expect_finite(const Tensor& self, Bytes model) {
    if (!self.world_.nonfinite_is_error || kernels::all_finite(self.shape_.dtype, model)) return;
    fail(Status::numeric, "the input of rank ", self.world_.rank, " to '", self.name(), "' has NaN or Inf");
  }

  static Task push(Call& call, Tensor& self, std::byte* data) {
    const Bytes model(data, self.shape_.bytes());
    co_await open_mailbox(call, self);
    expect_finite(self, model);
    co_await self.mailbox_->push(call, model);
  }

  static Task pull(Call& call, Tensor& self, std::byte* data, int& messages) {
    co_await open_mailbox(call, self);
    const MutableBytes model(data, self.shape_.bytes());
    expect_finite(self, model);  // or what has arrived would be lost in it
    co_await self.mailbox_->pull(call, model, messages);
  }

  static Task close_mailbox(Call& call, Tensor& self) {
    if (!self.mailbox_open_) co_return;
    co_await self.mailbox_->close(call);
    self.mailbox_open_ = false;
    self.world_.engine.release();
  }

  /// Counts a call, however it ends.
  static Task counted(Call& call, Tensor& self, Task body) {
    std::exception_ptr error;
    {
      const Stopwatch watch(call.time.total);
      try {
        co_await body;
      } catch (...) {
        error = std::current_exception();
      }
    }
    self.totals_.add(call, self.shape_.bytes());
    if (error) std::rethrow_exception(error);
  }
};

Task Tensor::all_reduce(std::byte* data, Op op) {
  call_.begin("all-reduce", next_tag());
  if (membership_.group != nullptr) {
    return Calls::counted(call_, *this, ModelGroup::exchange(call_, *membership_.group, *membership_.member, data, op));
  }
  return Calls::counted(call_, *this, Calls::all_reduce(call_, *this, data, op));
}

Task Tensor::broadcast(std::byte* data, int root) {
  call_.begin("broadcast", next_tag());
  return Calls::counted(call_, *this, Calls::broadcast(call_, *this, data, root));
}

// Rounds have numbers of their own: ranks that have not made the same collectives, because one has died, still meet.
Task Tensor::mix(std::byte* data) {
  if (gossip_->mixer) {
    call_.begin("gossip", Tag::of_call(id_of(name()), gossip_rounds_ % 63), Needs::neighbours);
  } else {
    call_.begin("gossip", next_tag());
  }
  return Calls::counted(call_, *this, Calls::mix(call_, *this, data));
}

// Ranks push and pull as often as they like: neither is a numbered call.
Task Tensor::push(std::byte* data) {
  call_.begin("push", Tag(), Needs::neighbours);
  return Calls::counted(call_, *this, Calls::push(call_, *this, data));
}

Task Tensor::pull(std::byte* data, int& messages) {
  call_.begin("pull", Tag(), Needs::neighbours);
  return Calls::counted(call_, *this, Calls::pull(call_, *this, data, messages));
}

Task Tensor::close_mailbox() {
  call_.begin("end of gossip", Tag(), Needs::neighbours);
  return Calls::close_mailbox(call_, *this);
}

}  // namespace gossamer
