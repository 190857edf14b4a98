#include <algorithm>
#include <array>

#include "lib/bootstrap_round.hpp"
#include "lib/communicator.hpp"
#include "lib/gossip/mixer.hpp"
#include "lib/gossip/outer.hpp"
#include "lib/link_probe.hpp"

namespace gossamer {
namespace {

struct Greeting {
  std::array<char, 16> version{};
  std::uint64_t config = 0;  // hash of what all must agree on
  std::array<char, 512> config_text{};
  Place place;
};

using LifelineAddress = std::array<std::byte, Contact::blob_bytes>;

/// Of the timeout, for lifelines to meet: the others wait that long for the exchange that follows, and are to hear
/// there why a rank has met nobody, not that it is missing.
constexpr double kMeetingShare = 0.8;

}  // namespace

std::unique_ptr<Communicator> Communicator::create(Bootstrap& bootstrap, std::string_view config_text) {
  Config config;
  round<Nothing>(bootstrap, [&](Nothing&) {
    config = Config::parse(config_text);
    find_transport(Spec::parse(config.transport).name);
    static_cast<void>(make_codec(config.codec, Shape{DType::float32, {64, 64}}));
    const MixingEntry& mixing = find_mixing(config.mixing);
    if (config.survives) expect_survival(mixing);
    make_outer(config.outer, 0, 1);
  });
  std::unique_ptr<Communicator> comm(new Communicator(bootstrap, config));
  comm->place_ranks(bootstrap);
  comm->choose_topology(bootstrap);
  comm->open(bootstrap);
  return comm;
}

Communicator::Communicator(Bootstrap& bootstrap, const Config& config)
    : config_(config), rank_(bootstrap.rank()), size_(bootstrap.size()), log_(rank_, config.log) {}

void Communicator::place_ranks(Bootstrap& bootstrap) {
  const std::string common = config_.common();
  const std::vector<Greeting> all = round<Greeting>(bootstrap, [&](Greeting& mine) {
    std::string_view(goss_version()).copy(mine.version.data(), mine.version.size() - 1);
    mine.config = fnv1a(common.data(), common.size());
    common.copy(mine.config_text.data(), mine.config_text.size() - 1);
    mine.place = this_place();
    if (!config_.trace.empty()) trace_ = std::make_unique<Trace>(config_.trace, rank_);
  });
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].version != all.front().version) {
      fail(Status::mismatch, "rank ", rank, " runs gossamer ", all[rank].version.data(), ", rank 0 ",
           all.front().version.data());
    }
    if (all[rank].config != all.front().config) {
      fail(Status::mismatch, "rank ", rank, " has ", all[rank].config_text.data(), " where rank 0 has ",
           all.front().config_text.data());
    }
    places_.push_back(all[rank].place);
  }
}

void Communicator::choose_topology(Bootstrap& bootstrap) {
  std::optional<Links> links;
  if (size_ > 1 && Topology::wants_links(config_.topology)) {
    const Clock::time_point start = Clock::now();
    links = measure_links(bootstrap, config_, places_);
    links_text_ = sentence(links->text(), ", measured in ", seconds_since(start), " s");
  }
  // A graph may come from a file, which each host has to itself.
  const std::vector<std::uint64_t> graphs = round<std::uint64_t>(bootstrap, [&](std::uint64_t& mine) {
    topology_ = std::make_unique<Topology>(
        Topology::from_spec(config_.topology, places_, {config_.weights, config_.seed, links ? &*links : nullptr}));
    mine = topology_->fingerprint();
  });
  for (std::size_t rank = 0; rank < graphs.size(); ++rank) {
    if (graphs[rank] != graphs.front()) {
      fail(Status::mismatch, "topology ", config_.topology, " is another graph on rank ", rank, " than on rank 0");
    }
  }
  legs_ = legs_of(*topology_, rank_);
}

void Communicator::open(Bootstrap& bootstrap) {
  const Spec spec = Spec::parse(config_.transport);
  const TransportEntry& entry = find_transport(spec.name);
  const std::vector<int> neighbours = topology_->neighbours(rank_);
  const auto near = [this](int other) {
    return places_[static_cast<std::size_t>(other)].host == places_[static_cast<std::size_t>(rank_)].host;
  };
  std::vector<std::byte> address;
  const std::vector<LifelineAddress> all = round<LifelineAddress>(bootstrap, [&](LifelineAddress& mine) {
    const EndpointContext context{rank_,
                                  size_,
                                  std::any_of(neighbours.begin(), neighbours.end(), near),
                                  !std::all_of(neighbours.begin(), neighbours.end(), near),
                                  config_.interface,
                                  config_.survives};
    endpoint_ = entry.open(Options("transport " + spec.name, spec, entry.keys), context);
    address = endpoint_->address();
    if (entry.same_process) return;
    lifelines_ = std::make_unique<Lifelines>(rank_, config_.interface);
    const std::vector<std::byte> lifeline = lifelines_->address();
    std::copy(lifeline.begin(), lifeline.end(), mine.begin());
  });
  const std::vector<std::vector<std::byte>> addresses = gather_blobs(bootstrap, address);

  // Lifelines first: a rank that cannot reach a neighbour tells the others over them, so that nobody waits in vain.
  round<Nothing>(bootstrap, [&](Nothing&) {
    if (lifelines_) {
      std::vector<std::vector<std::byte>> lifelines;
      std::vector<char> same_host;
      for (std::size_t rank = 0; rank < all.size(); ++rank) {
        lifelines.emplace_back(all[rank].begin(), all[rank].end());
        same_host.push_back(near(static_cast<int>(rank)) ? 1 : 0);
      }
      lifelines_->connect(neighbours, lifelines, same_host, kMeetingShare * config_.timeout_seconds);
    }
    for (const int neighbour : neighbours) {
      endpoint_->connect(neighbour, addresses[static_cast<std::size_t>(neighbour)], near(neighbour));
    }
  });
  engine_ = std::make_unique<Engine>(
      *endpoint_, lifelines_.get(),
      Engine::Options{rank_, config_.timeout_seconds, config_.progress_thread,
                      std::any_of(neighbours.begin(), neighbours.end(), near), config_.survives});
  log_.debug("connected to ", neighbours.size(), " neighbours by ", config_.transport);
}

}  // namespace gossamer
