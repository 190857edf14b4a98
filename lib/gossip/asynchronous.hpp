#pragma once

#include <vector>

#include "lib/call.hpp"
#include "topology/topology.hpp"

namespace gossamer {

/// What goss_push and goss_pull do with a tensor. Its functions run on the driving thread, as messages must.
class Asynchronous {
 public:
  /// What is to be saved.
  struct Account {
    double weight = 1;
    std::uint64_t pushes = 0;
  };

  virtual ~Asynchronous() = default;

  /// Posts the receives; once, before the others.
  virtual Task open(Call& call) = 0;
  virtual Task push(Call& call, Bytes model) = 0;
  /// `messages`: how many were folded in.
  virtual Task pull(Call& call, MutableBytes model, int& messages) = 0;
  /// Gives up on what is under way. This must stay until the endpoint has gone.
  virtual Task close(Call& call) = 0;

  [[nodiscard]] virtual const Account& account() const noexcept = 0;
  virtual void restore(const Account& account) noexcept = 0;
  [[nodiscard]] virtual std::size_t memory_bytes() const noexcept = 0;
};

/// Those whom this rank hears (`side` is &Neighbourhood::in), or who hear it (out), in any round; ascending.
std::vector<int> neighbours_of(const Topology& topology, int rank, std::vector<Edge> Neighbourhood::*side);

}  // namespace gossamer
