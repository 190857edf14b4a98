#include "lib/communicator.hpp"

#include <algorithm>
#include <cmath>

#include "lib/gossip/living.hpp"

namespace gossamer {

Communicator::~Communicator() {
  for (const auto& slot : tensors_) close_mailbox(*slot);
  // Neighbours may still need what this rank sent: stay until they have said goodbye too.
  if (engine_ && !engine_->failure() && lifelines_) {
    lifelines_->farewell();
    engine_->linger(
        std::min(config_.timeout_seconds, 5.0),
        [](void* lifelines) { return static_cast<Lifelines*>(lifelines)->all_said_farewell(); }, lifelines_.get());
  }
  engine_.reset();
  endpoint_.reset();
}

namespace {

std::string list_of(const std::vector<int>& ranks) {
  std::string text;
  for (const int rank : ranks) text += sentence(" ", rank);
  return text;
}

}  // namespace

std::string Communicator::describe() const {
  std::string text = sentence("gossamer ", goss_version(), ", rank ", rank_, " of ", size_, "\n",
                              "config: ", config_.common(), " timeout=", config_.timeout_seconds,
                              " progress=", config_.progress_thread ? "thread" : "polling", "\n");
  text += "topology: " + topology_->spec();
  for (const Dimension& dimension : topology_->dimensions()) {
    text += sentence(dimension.direct ? " direct(" : " ring(", dimension.size, ")");
  }
  text += sentence(", spectral gap ", topology_->spectral_gap());
  if (!links_text_.empty()) text += "\nlinks: " + links_text_;
  if (!topology_->reason().empty()) text += "\nchosen: " + topology_->reason();
  text += "\nneighbours:";
  for (const int neighbour : topology_->neighbours(rank_)) {
    const bool near =
        places_[static_cast<std::size_t>(neighbour)].host == places_[static_cast<std::size_t>(rank_)].host;
    text += sentence(" ", neighbour, near ? " (same host)" : " (other host)");
  }
  text += "\n" + endpoint_->describe() + "\n";
  for (const Casualty& casualty : engine_->deaths()) text += "dead: " + casualty.sentence + "\n";
  if (const std::vector<int> ranks = cut_off(); !ranks.empty()) {
    text += sentence("cut off by deaths, no longer mixed with:", list_of(ranks), "\n");
  }
  std::lock_guard lock(mutex_);
  for (const auto& slot : tensors_) {
    if (slot->destroyed) continue;
    const std::string said = slot->requested ? "a call under way" : slot->tensor->describe();
    text += sentence("tensor '", slot->tensor->name(), "': ", slot->tensor->shape().count(), " ",
                     name_of(slot->tensor->shape().dtype), ", codec ", slot->tensor->codec_spec(), ", ",
                     slot->memory_bytes, " bytes held", said.empty() ? "" : ", ", said, "\n");
  }
  return text;
}

std::vector<int> Communicator::failed_ranks() const {
  std::vector<int> ranks;
  for (const Casualty& casualty : engine_->deaths()) ranks.push_back(casualty.rank);
  const std::optional<Casualty> failure = engine_->failure();
  if (failure && failure->status == Status::peer && failure->rank >= 0) ranks.push_back(failure->rank);
  return ranks;
}

std::vector<int> Communicator::cut_off() const {
  const std::vector<Casualty> deaths = engine_->deaths();
  if (deaths.empty()) return {};
  return cut_off_from(rank_, *topology_,
                      [&](int rank) { return std::ranges::find(deaths, rank, &Casualty::rank) != deaths.end(); });
}

/// Tells the log of deaths that end nothing: no call returns them.
void Communicator::mourn() {
  if (!engine_->bereaved()) return;
  const std::vector<Casualty> deaths = engine_->deaths();
  {
    std::lock_guard lock(mutex_);
    if (mourned_ == deaths.size()) return;
    for (; mourned_ < deaths.size(); ++mourned_) log_.warn(deaths[mourned_].sentence, "; gossip goes on without it");
  }
  if (const std::vector<int> ranks = cut_off(); !ranks.empty()) {
    log_.warn("deaths have cut this rank off from others, with which it no longer mixes:", list_of(ranks));
  }
}

TensorTotals Communicator::totals() const {
  std::lock_guard lock(mutex_);
  TensorTotals sum = past_;
  for (const auto& slot : tensors_) {
    if (!slot->destroyed) sum.add(slot->totals);  // the tensor's own change while a call is under way
  }
  return sum;
}

double Communicator::residual_norm() const {
  std::lock_guard lock(mutex_);
  double squares = 0;
  for (const auto& slot : tensors_) {
    if (slot->destroyed || slot->requested) continue;
    const double norm = slot->tensor->residual_norm();
    squares += norm * norm;
  }
  return std::sqrt(squares);
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

void Communicator::throw_failure() const {
  if (const std::optional<Casualty> failure = engine_->failure()) {
    fail(failure->status, "the communicator has failed: ", failure->sentence);
  }
}

void Communicator::claim(TensorSlot& slot, const char* operation) {
  throw_failure();
  std::lock_guard lock(mutex_);
  if (slot.requested) {
    fail(Status::argument, "a call on '", slot.tensor->name(), "' is under way; wait for it before the next");
  }
  slot.requested = true;
  slot.operation = operation;
  slot.started = Clock::now();
}

void Communicator::expect_idle(const TensorSlot& slot) const {
  std::lock_guard lock(mutex_);
  if (slot.requested) fail(Status::argument, "a call on '", slot.tensor->name(), "' is under way; wait for it first");
}

bool Communicator::poll(TensorSlot& slot) {
  if (!slot.job.done.load(std::memory_order_acquire)) engine_->nudge();
  return slot.job.done.load(std::memory_order_acquire);
}

void Communicator::collect(TensorSlot& slot) {
  engine_->wait(slot.job);
  slot.job.task = Task();
  mourn();
  if (trace_) slot.tensor->trace(*trace_, slot.operation, slot.started);
  const Status status = slot.job.status;
  const std::string sentence = status == Status::ok ? std::string() : slot.job.sentence;
  {
    std::lock_guard lock(mutex_);
    slot.totals = slot.tensor->totals();
    slot.memory_bytes = slot.tensor->memory_bytes();
    slot.requested = false;
  }
  if (status != Status::ok) throw Error(status, sentence);
}

void Communicator::close_mailbox(TensorSlot& slot) noexcept {
  if (!slot.tensor->has_mailbox()) return;
  engine_->submit(slot.job, slot.tensor->home(), slot.tensor->close_mailbox(), true);
  engine_->wait(slot.job);
  slot.job.task = Task();
}

void Communicator::run(Job& job, CoroutineHome& home, Task task) {
  engine_->submit(job, home, std::move(task), true);
  engine_->wait(job);
  job.task = Task();
  if (job.status != Status::ok) throw Error(job.status, job.sentence);
}

namespace {

/// What a rank says of the tensor it registers.
struct Registration {
  std::int32_t rank = 0;
  std::int32_t dtype = 0;
  std::uint64_t count = 0;
  std::uint64_t dims = 0;   // hash
  std::uint64_t codec = 0;  // hash of the spec
  std::uint32_t refused = 0;
  std::uint32_t unused = 0;
};

std::string difference(const Registration& mine, const Registration& theirs) {
  const auto type = [](const Registration& r) { return name_of(static_cast<DType>(r.dtype)); };
  if (theirs.dtype != mine.dtype) return sentence("as ", type(theirs), ", rank ", mine.rank, " as ", type(mine));
  if (theirs.count != mine.count)
    return sentence("with ", theirs.count, " elements, rank ", mine.rank, " with ", mine.count);
  if (theirs.dims != mine.dims) return sentence("with other dims than rank ", mine.rank);
  return sentence("with another codec than rank ", mine.rank);
}

Task register_tensor(Call& call, const std::vector<Leg>& legs, std::vector<Registration>& all) {
  co_await gather_records(call, legs, Phase::agree, {std::as_writable_bytes(std::span(all)), sizeof(Registration)});
}

Task meet_all(Call& call, const std::vector<Leg>& legs, std::vector<std::byte>& all) {
  co_await gather_records(call, legs, Phase::agree, {std::span(all), 1});
}

}  // namespace

void Communicator::barrier() {
  const std::lock_guard one_at_a_time(barrier_mutex_);
  throw_failure();
  Call call(*engine_, "all ranks");
  call.begin("barrier", Tag::of_call(Tensor::id_of(""), barriers_++));
  std::vector<std::byte> all(static_cast<std::size_t>(size_));
  Job job;
  run_or_park(job, call, meet_all(call, legs_, all), all);
  std::lock_guard lock(mutex_);
  past_.traffic.sent += call.traffic.sent;
  past_.traffic.received += call.traffic.received;
}

// ---- Tensors -------------------------------------------------------------------------------------------------------

void Communicator::check_name(const std::string& name) const {
  if (name.empty()) fail(Status::argument, "a tensor needs a name of at least one character");
  std::lock_guard lock(mutex_);
  const auto place = names_.find(Tensor::id_of(name));
  if (place == names_.end()) return;
  if (place->second == name) fail(Status::argument, "a tensor named '", name, "' exists already");
  fail(Status::argument, "the names '", name, "' and '", place->second, "' have the same 32-bit hash; rename one");
}

void Communicator::agree_on_tensor(const std::string& name, const Shape& shape, const CodecChoice& choice,
                                   const std::string& refusal) {
  Registration mine;
  mine.rank = rank_;
  mine.dtype = static_cast<std::int32_t>(shape.dtype);
  mine.count = shape.count();
  mine.dims = fnv1a(reinterpret_cast<const char*>(shape.dims.data()), shape.dims.size() * sizeof(std::size_t));
  mine.codec = fnv1a(choice.spec.data(), choice.spec.size());
  mine.refused = refusal.empty() ? 0 : 1;
  std::vector<Registration> all(static_cast<std::size_t>(size_));
  all[own_record(legs_)] = mine;
  Call call(*engine_, name);
  call.begin("registration", Tag::of_call(Tensor::id_of(name), 63));
  Job job;
  run_or_park(job, call, register_tensor(call, legs_, all), all);
  if (!refusal.empty()) fail(Status::argument, refusal);
  for (const Registration& theirs : all) {
    if (theirs.refused != 0)
      fail(Status::mismatch, "rank ", theirs.rank, " could not register '", name, "'; its goss_last_error() says why");
    if (theirs.dtype == mine.dtype && theirs.count == mine.count && theirs.dims == mine.dims &&
        theirs.codec == mine.codec)
      continue;
    fail(Status::mismatch, "rank ", theirs.rank, " registers '", name, "' ", difference(mine, theirs));
  }
}

World Communicator::world() const noexcept {
  const GossipChoice gossip{config_.mixing, config_.outer, config_.every, config_.every_from, config_.staleness};
  return {*engine_, *topology_,      legs_, rank_, size_, config_.seed, config_.nonfinite_is_error,
          gossip,   config_.survives};
}

/// Makes the tensor a member of its codec's model, and its own codec identity; null if it goes by itself.
ModelGroupMember* Communicator::join_model(const std::string& name, const Shape& shape, CodecChoice& choice) {
  const Shape vector{DType::float32, {std::max<std::size_t>(shape.count(), 1)}};
  if (make_codec(choice.spec, vector).spec == "identity") return nullptr;
  std::unique_ptr<ModelGroup>& model = models_[choice.spec];
  if (!model) {
    model = std::make_unique<ModelGroup>(world(), choice.spec);
    names_.emplace(Tensor::id_of(model->name()), model->name());
  }
  ModelGroupMember* member = model->add(name, shape);
  if (member != nullptr) choice = make_codec("identity", shape);
  return member;
}

TensorSlot& Communicator::create_tensor(std::string name, Shape shape, std::string_view codec) {
  throw_failure();
  check_name(name);
  CodecChoice choice;
  std::string refusal;
  try {
    choice = make_codec(codec.empty() ? std::string_view(config_.codec) : codec, shape, config_.min_compress);
  } catch (const Error& error) {
    if (error.status() != Status::argument) throw;
    refusal = error.what();  // the other ranks are told before this one throws
  }
  agree_on_tensor(name, shape, choice, refusal);
  const std::string spec = choice.spec;
  auto slot = std::make_unique<TensorSlot>();
  slot->comm = this;
  std::lock_guard lock(mutex_);
  ModelGroupMember* member = config_.whole_model ? join_model(name, shape, choice) : nullptr;
  slot->tensor = std::make_unique<Tensor>(world(), std::move(name), std::move(shape), std::move(choice));
  slot->tensor->set_generation(generations_[Tensor::id_of(slot->tensor->name())]++);
  if (member != nullptr) slot->tensor->join({models_.at(spec).get(), member}, spec);
  slot->memory_bytes = slot->tensor->memory_bytes();
  names_.emplace(Tensor::id_of(slot->tensor->name()), slot->tensor->name());
  tensors_.push_back(std::move(slot));
  return *tensors_.back();
}

void Communicator::destroy_tensor(TensorSlot& slot) {
  engine_->wait(slot.job);
  close_mailbox(slot);
  slot.job.task = Task();
  std::lock_guard lock(mutex_);
  names_.erase(Tensor::id_of(slot.tensor->name()));
  past_.add(slot.tensor->totals());
  slot.destroyed = true;
  // Messages to it may still arrive, after a failure or a death, or if it has a mailbox.
  if (engine_->failure() || engine_->bereaved() || slot.tensor->has_mailbox()) return;
  std::erase_if(tensors_, [&](const auto& owned) { return owned.get() == &slot; });
}

}  // namespace gossamer
