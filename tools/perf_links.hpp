#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "lib/call.hpp"
#include "tools/perf_rival.hpp"
#include "tools/perf_session.hpp"
#include "topology/topology.hpp"

namespace gossamer::tools {

/// What the links themselves need for a round of gossip: one plain message of the caller's bytes to each out-neighbour
/// and from each in-neighbour, over an endpoint of its own of the same transport. Nothing is cut, copied or added up.
class Links final : public Rival {
 public:
  /// Collective.
  Links(Session& session, const PerfOptions& options);
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  void call(std::byte* data, std::size_t count, goss_dtype dtype) override;
  [[nodiscard]] std::string name() const override { return "one plain message to and from each neighbour"; }

 private:
  static Task exchange(Call& call, Links& self, const Neighbourhood& around, Bytes data);

  const Topology& topology_;
  int rank_;
  std::uint64_t rounds_ = 0;
  std::vector<std::vector<std::byte>> arrived_;  // by in-neighbour; ends after the endpoint that writes it
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Call> call_;
  std::deque<Flight> flights_;
};

}  // namespace gossamer::tools
