#include "tools/perf_links.hpp"

#include <algorithm>

#include "lib/c_guard.hpp"
#include "lib/config.hpp"
#include "tools/perf_input.hpp"

namespace gossamer::tools {
namespace {

/// Everybody's `mine`, of whatever length.
std::vector<std::vector<std::byte>> gather_bytes(Session& session, Bytes mine) {
  const double length = static_cast<double>(mine.size());
  const std::vector<double> lengths = session.gather({&length, 1});
  const auto longest = static_cast<std::size_t>(*std::ranges::max_element(lengths));
  std::vector<double> numbers(longest);
  std::ranges::transform(mine, numbers.begin(), [](std::byte byte) { return static_cast<double>(byte); });
  const std::vector<double> all = session.gather(numbers);
  std::vector<std::vector<std::byte>> result;
  for (std::size_t rank = 0; rank < lengths.size(); ++rank) {
    std::vector<std::byte>& theirs = result.emplace_back(static_cast<std::size_t>(lengths[rank]));
    for (std::size_t i = 0; i < theirs.size(); ++i) theirs[i] = static_cast<std::byte>(all[rank * longest + i]);
  }
  return result;
}

std::uint64_t host_in(const std::vector<std::byte>& blob) {
  return ByteReader(blob).get<std::uint64_t>();
}

}  // namespace

Links::Links(Session& session, const PerfOptions& options)
    : topology_(comm_of(session.comm()).topology()), rank_(session.rank()) {
  const Config config = Config::parse(options.communicator_config());
  const Spec spec = Spec::parse(config.transport);
  const TransportEntry& entry = find_transport(spec.name);
  const std::uint64_t host = this_place().host;
  const std::vector<std::vector<std::byte>> hosts = gather_bytes(session, std::as_bytes(std::span(&host, 1)));
  const std::vector<int> neighbours = topology_.neighbours(rank_);
  const auto near = [&](int other) { return host_in(hosts[static_cast<std::size_t>(other)]) == host; };
  const bool any_near = std::ranges::any_of(neighbours, near);
  endpoint_ = entry.open(Options("transport " + spec.name, spec, entry.keys),
                         {rank_, session.size(), any_near, !std::ranges::all_of(neighbours, near), config.interface});
  const std::vector<std::vector<std::byte>> addresses = gather_bytes(session, endpoint_->address());
  for (const int other : neighbours) endpoint_->connect(other, addresses[static_cast<std::size_t>(other)], near(other));
  engine_ =
      std::make_unique<Engine>(*endpoint_, nullptr, Engine::Options{rank_, config.timeout_seconds, false, any_near});
  call_ = std::make_unique<Call>(*engine_, "links");
  session.barrier();
}

void Links::call(std::byte* data, std::size_t count, goss_dtype dtype) {
  const Neighbourhood around = topology_.at(rank_, rounds_);
  call_->begin("exchange", Tag::of_call(0, rounds_++));
  const Bytes bytes(data, count * element_size(dtype));
  Job job;
  engine_->submit(job, *call_, exchange(*call_, *this, around, bytes), true);
  engine_->wait(job);
  job.task = Task();
  if (job.status != Status::ok) throw Error(job.status, job.sentence);
}

Task Links::exchange(Call& call, Links& self, const Neighbourhood& around, Bytes data) {
  const std::size_t count = around.in.size() + around.out.size();
  while (self.flights_.size() < count) self.flights_.emplace_back(call.engine);
  self.arrived_.resize(std::max(self.arrived_.size(), around.in.size()));
  for (std::size_t j = 0; j < around.in.size(); ++j) {
    self.arrived_[j].resize(std::max(self.arrived_[j].size(), data.size()));
    self.flights_[j].receive(around.in[j].rank, call.tag.from_rank(Phase::mix, around.in[j].rank), self.arrived_[j],
                             call.traffic);
  }
  for (std::size_t j = 0; j < around.out.size(); ++j) {
    self.flights_[around.in.size() + j].send(around.out[j].rank, call.tag.from_rank(Phase::mix, self.rank_), data,
                                             call.traffic);
  }
  for (std::size_t i = 0; i < count; ++i) co_await self.flights_[i].done(call);
}

}  // namespace gossamer::tools
