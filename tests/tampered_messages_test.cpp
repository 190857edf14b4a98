// Messages that are cut, lengthened or overwritten on their way: every codec, topology and hop must end the call with a
// clean failure (or a result), never with a crash, a hang, or "the library contradicted itself".
#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <random>
#include <set>

#include "lib/all_reduce.hpp"
#include "lib/tensor.hpp"
#include "tests/library_cases.hpp"
#include "transport/transport.hpp"

namespace gossamer::test {
namespace {

enum class Harm { cut_one, cut_half, cut_all, add_one, add_many, randomise, flip_bit, largest };
constexpr Harm kHarms[] = {Harm::cut_one,  Harm::cut_half,  Harm::cut_all,  Harm::add_one,
                           Harm::add_many, Harm::randomise, Harm::flip_bit, Harm::largest};

bool changes_length(Harm harm) {
  return harm <= Harm::add_many;
}

using Message = std::vector<std::byte>;

Message harmed(Message message, Harm harm, std::mt19937_64& random) {
  const auto noise = [&] { return static_cast<std::byte>(random()); };
  switch (harm) {
    case Harm::cut_one:
      if (!message.empty()) message.pop_back();
      break;
    case Harm::cut_half:
      message.resize(message.size() / 2);
      break;
    case Harm::cut_all:
      message.clear();
      break;
    case Harm::add_one:
      message.push_back(noise());
      break;
    case Harm::add_many:
      for (int i = 0; i < 4096; ++i) message.push_back(noise());
      break;
    case Harm::randomise:
      for (std::byte& byte : message) byte = noise();
      break;
    case Harm::flip_bit:
      if (!message.empty()) message[random() % message.size()] ^= static_cast<std::byte>(1U << (random() % 8));
      break;
    case Harm::largest:
      for (std::size_t i = 0; i < std::min<std::size_t>(message.size(), 8); ++i) message[i] = std::byte{0xff};
      break;
  }
  return message;
}

/// Harms one message this rank sends. When some rank has failed, ends what is under way as a lost connection would:
/// there are no lifelines here to carry the news.
class TamperingEndpoint final : public Endpoint {
 public:
  struct Plan {
    std::size_t message = SIZE_MAX;  ///< which of this rank's sends
    Harm harm = Harm::cut_one;
    std::uint64_t seed = 0;
  };

  TamperingEndpoint(std::unique_ptr<Endpoint> inner, const Plan& plan, const std::atomic<bool>& over)
      : inner_(std::move(inner)), plan_(plan), over_(over) {}

  [[nodiscard]] bool harmed_something() const noexcept { return harmed_; }

  [[nodiscard]] std::vector<std::byte> address() const override { return inner_->address(); }
  void connect(int peer, Bytes address, bool same_host) override { inner_->connect(peer, address, same_host); }
  void send(int peer, std::uint64_t tag, Bytes data, Transfer& transfer) override {
    if (sends_++ == plan_.message) {
      std::mt19937_64 random(plan_.seed);
      kept_.push_back(harmed({data.begin(), data.end()}, plan_.harm, random));
      harmed_ = !std::equal(data.begin(), data.end(), kept_.back().begin(), kept_.back().end());
      data = kept_.back();
    }
    inner_->send(peer, tag, data, transfer);
    if (transfer.state == Transfer::State::pending) pending_.insert(&transfer);
  }
  void receive(int peer, std::uint64_t tag, MutableBytes buffer, Transfer& transfer) override {
    inner_->receive(peer, tag, buffer, transfer);
    if (transfer.state == Transfer::State::pending) pending_.insert(&transfer);
  }
  bool progress() override {
    bool busy = inner_->progress();
    // What is done may be gone as soon as its coroutine goes on.
    std::erase_if(pending_, [](const Transfer* transfer) { return transfer->state != Transfer::State::pending; });
    if (!over_.load()) return busy;
    for (Transfer* transfer : std::exchange(pending_, {})) {
      inner_->abandon(*transfer);
      transfer->state = Transfer::State::done;
      transfer->status = Status::peer;
      transfer->notify(*transfer);
      busy = true;
    }
    return busy;
  }
  void abandon(Transfer& transfer) noexcept override {
    pending_.erase(&transfer);
    inner_->abandon(transfer);
  }
  [[nodiscard]] int event_fd() const noexcept override { return inner_->event_fd(); }
  bool arm() override { return inner_->arm(); }
  [[nodiscard]] std::string describe() const override { return inner_->describe(); }

 private:
  std::unique_ptr<Endpoint> inner_;
  Plan plan_;
  const std::atomic<bool>& over_;
  std::size_t sends_ = 0;
  bool harmed_ = false;
  std::deque<Message> kept_;
  std::set<Transfer*> pending_;
};

struct Scenario {
  int ranks;
  std::string topology;
  std::string codec;
  TamperingEndpoint::Plan plan;  // of rank 1
  Shape shape;
};

struct Outcome {
  std::vector<Status> statuses;
  std::vector<std::string> sentences;
  bool harmed = false;
};

std::unique_ptr<Endpoint> open_inproc(int rank, int ranks) {
  const TransportEntry& entry = find_transport("inproc");
  EndpointContext context;
  context.rank = rank;
  context.size = ranks;
  return entry.open(Options("transport inproc", Spec::parse("inproc"), entry.keys), context);
}

void run_rank(ThreadGroup& group, int rank, const Scenario& scenario, std::atomic<bool>& over, Outcome& outcome) {
  const std::vector<Place> places(static_cast<std::size_t>(scenario.ranks));
  const Topology topology = Topology::from_spec(scenario.topology, places);
  const std::vector<Leg> legs = legs_of(topology, rank);
  std::unique_ptr<Tensor> tensor;  // outlives the endpoint, which may still write into its slots
  std::vector<float> data = normal_values(5, rank, 0, scenario.shape.count());

  TamperingEndpoint endpoint(open_inproc(rank, scenario.ranks), rank == 1 ? scenario.plan : TamperingEndpoint::Plan{},
                             over);
  const std::vector<std::byte> address = endpoint.address();
  std::vector<std::byte> all(address.size() * static_cast<std::size_t>(scenario.ranks));
  group.all_gather(rank, address.data(), all.data(), address.size());
  for (const int peer : topology.neighbours(rank)) {
    const auto at = static_cast<std::size_t>(peer) * address.size();
    endpoint.connect(peer, Bytes(all).subspan(at, address.size()), true);
  }
  Engine engine(endpoint, nullptr, {rank, 20, false});
  const World world{engine, topology, legs, rank, scenario.ranks, 1, true};
  tensor = std::make_unique<Tensor>(world, "t", scenario.shape, make_codec(scenario.codec, scenario.shape));
  group.barrier();
  Job job;
  engine.submit(job, tensor->home(), tensor->all_reduce(reinterpret_cast<std::byte*>(data.data()), Op::sum), true);
  engine.wait(job);
  job.task = Task();
  if (job.status != Status::ok) over = true;
  outcome.statuses[static_cast<std::size_t>(rank)] = job.status;
  outcome.sentences[static_cast<std::size_t>(rank)] = job.sentence;
  if (rank == 1) outcome.harmed = endpoint.harmed_something();
  group.barrier();
}

Outcome run(const Scenario& scenario) {
  ThreadGroup group(scenario.ranks);
  std::atomic<bool> over{false};
  const auto ranks = static_cast<std::size_t>(scenario.ranks);
  Outcome outcome{std::vector<Status>(ranks), std::vector<std::string>(ranks), false};
  run_ranks(scenario.ranks, [&](int rank) { run_rank(group, rank, scenario, over, outcome); });
  return outcome;
}

/// Whether anything was harmed.
bool check(const Scenario& scenario) {
  const Outcome outcome = run(scenario);
  std::string text;
  for (std::size_t rank = 0; rank < outcome.statuses.size(); ++rank) {
    text += sentence("\n  rank ", rank, ": ", static_cast<int>(outcome.statuses[rank]), " ", outcome.sentences[rank]);
  }
  INFO(scenario.codec << " on " << scenario.topology << ", harm " << static_cast<int>(scenario.plan.harm)
                      << " to message " << scenario.plan.message << ", seed " << scenario.plan.seed << text);
  int corrupt = 0;
  for (const Status status : outcome.statuses) {
    CHECK(status != Status::internal);
    CHECK(status != Status::timeout);
    if (status == Status::corrupt) ++corrupt;
  }
  if (!outcome.harmed) {
    CHECK(outcome.statuses == std::vector<Status>(outcome.statuses.size(), Status::ok));
  } else if (changes_length(scenario.plan.harm)) {
    CHECK(corrupt > 0);
  }
  return outcome.harmed;
}

}  // namespace

TEST_CASE("the double alone changes nothing") {
  for (const std::string& codec : every_codec()) {
    check({4, "ring", codec, {SIZE_MAX, Harm::cut_one, 0}, {DType::float32, {30, 40}}});
  }
}

TEST_CASE("a message cut or lengthened at any hop is CORRUPT, for every codec and topology") {
  for (const std::string& codec : every_codec()) {
    for (const std::string topology : {"ring", "complete", "torus:2x2"}) {
      // What is beyond the last message harms nothing.
      int harmed = 0;
      for (std::size_t message = 0; message < 12; ++message) {
        for (const Harm harm : {Harm::cut_one, Harm::add_one}) {
          harmed += check({4, topology, codec, {message, harm, message}, {DType::float32, {30, 40}}}) ? 1 : 0;
        }
      }
      INFO(codec << " on " << topology);
      // On 2x2 two messages agree, two scatter and two gather; each is harmed in two ways. There reduce=auto takes an
      // all-gather of payloads this small.
      const bool gathers = codec.find("reduce=allgather") != std::string::npos ||
                           (topology == "torus:2x2" && codec.find("reduce=auto") != std::string::npos);
      CHECK(harmed >= (gathers ? 8 : 12));
    }
  }
}

TEST_CASE("a message overwritten, cut or lengthened at random ends cleanly, for every codec and topology") {
  std::mt19937_64 random(20261122);
  for (const std::string& codec : every_codec()) {
    for (const std::string topology : {"ring", "complete", "torus:2x2"}) {
      for (const Harm harm : kHarms) {
        for (int i = 0; i < 3; ++i) {
          const std::size_t message = 3 + random() % 8;
          check({4, topology, codec, {message, harm, random()}, {DType::float32, {100, 300}}});
        }
      }
    }
  }
}

}  // namespace gossamer::test
