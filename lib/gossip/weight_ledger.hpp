#pragma once

#include <map>

namespace gossamer {

/// What this rank has given to each other rank of its push-sum weight, less what it has got. Of a rank that dies, the
/// survivors' ledgers tell how much of their weights has gone with it, and no more than that can be known.
class WeightLedger {
 public:
  void gave(int rank, double weight) { balance_[rank] += weight; }
  void got(int rank, double weight) { balance_[rank] -= weight; }
  [[nodiscard]] double given_to(int rank) const noexcept {
    const auto place = balance_.find(rank);
    return place == balance_.end() ? 0 : place->second;
  }

 private:
  std::map<int, double> balance_;
};

}  // namespace gossamer
