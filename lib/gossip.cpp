// Gossip without ranks that have died.
#include "lib/gossip.hpp"

#include <iomanip>
#include <sstream>

#include "lib/gossip/asynchronous.hpp"
#include "lib/gossip/living.hpp"

namespace gossamer {

Neighbourhood Tensor::Gossip::living(const World& world, std::uint64_t round) {
  const Neighbourhood around = world.topology.at(world.rank, round);
  if (!world.engine.bereaved()) return around;
  return among_the_living(around, entry.needs, [&](int rank) {
    const bool dead = world.engine.dead(rank);
    if (dead) missing_since.emplace(rank, round);
    return dead;
  });
}

void Tensor::forget_gossip() {
  const bool settled = !gossip_ || (!world_.engine.failure() && (!gossip_->slots || gossip_->slots->settled()));
  if (!settled) forgotten_.push_back(std::move(gossip_));
  gossip_.reset();
}

/// Of a rank that has died: since when it is missed, and what of this rank's weight went with it.
std::string Tensor::describe_missing(int rank) const {
  std::string text;
  if (gossip_ && gossip_->missing_since.contains(rank)) {
    text = sentence("without rank ", rank, " since round ", gossip_->missing_since.at(rank));
  }
  const Weighted* giver = weighted();
  if (giver == nullptr) return text;
  std::ostringstream balance;
  balance << std::setprecision(17) << giver->given_to(rank);
  return sentence(text, text.empty() ? "" : ", ", "weight that went to rank ", rank,
                  " and did not come back: ", balance.str());
}

const Weighted* Tensor::weighted() const noexcept {
  if (mailbox_) return dynamic_cast<const Weighted*>(mailbox_.get());
  return gossip_ ? dynamic_cast<const Weighted*>(gossip_->mixer.get()) : nullptr;
}

}  // namespace gossamer
