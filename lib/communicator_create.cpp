#include <algorithm>
#include <array>

#include "lib/communicator.hpp"
#include "lib/gossip/mixer.hpp"
#include "lib/gossip/outer.hpp"

namespace gossamer {
namespace {

/// Every round of the bootstrap carries how far each rank came, so that all ranks fail together and know why.
struct Report {
  std::int32_t status = 0;
  std::array<char, 480> sentence{};

  static Report of(const Error& error) {
    Report report;
    report.status = static_cast<std::int32_t>(error.status());
    std::string_view(error.what())
        .substr(0, report.sentence.size() - 1)
        .copy(report.sentence.data(), report.sentence.size() - 1);
    return report;
  }
};

/// Whose failure to throw: a rank's own, or else the first; but running out of patience is only the consequence of what
/// somebody else has to say. Nothing: no rank failed.
std::optional<std::size_t> cause_of(const std::vector<Report>& reports, std::size_t own) {
  constexpr auto timeout = static_cast<std::int32_t>(Status::timeout);
  for (const bool late : {false, true}) {
    const auto fits = [&](const Report& report) { return report.status != 0 && (report.status == timeout) == late; };
    if (fits(reports[own])) return own;
    const auto first = std::find_if(reports.begin(), reports.end(), fits);
    if (first != reports.end()) return static_cast<std::size_t>(first - reports.begin());
  }
  return std::nullopt;
}

/// All-gathers what `work` makes of this rank, or its failure; throws on all ranks when there is one.
template <typename Message, typename Work>
std::vector<Message> round(Bootstrap& bootstrap, Work&& work) {
  struct Envelope {
    Report report;
    Message message;
  };
  Envelope mine{};
  std::exception_ptr own_error;
  try {
    work(mine.message);
  } catch (const Error& error) {
    mine.report = Report::of(error);
    own_error = std::current_exception();
  }
  const std::vector<std::byte> all = bootstrap.allgather(std::as_bytes(std::span(&mine, 1)));
  std::vector<Message> messages;
  std::vector<Report> reports;
  for (std::size_t rank = 0; rank * sizeof(Envelope) < all.size(); ++rank) {
    Envelope theirs;
    std::memcpy(&theirs, all.data() + rank * sizeof(Envelope), sizeof(Envelope));
    reports.push_back(theirs.report);
    messages.push_back(theirs.message);
  }
  const auto own = static_cast<std::size_t>(bootstrap.rank());
  if (const std::optional<std::size_t> rank = cause_of(reports, own)) {
    if (*rank == own) std::rethrow_exception(own_error);
    fail(static_cast<Status>(reports[*rank].status), "rank ", *rank, ": ", reports[*rank].sentence.data());
  }
  return messages;
}

struct Greeting {
  std::array<char, 16> version{};
  std::uint64_t config = 0;  // hash of what all must agree on
  std::array<char, 512> config_text{};
  Place place;
};

struct Addresses {
  std::uint32_t endpoint_bytes = 0;
  std::array<std::byte, Contact::blob_bytes> lifeline{};
};

struct Nothing {};

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
  // A graph may come from a file, which each host has to itself.
  const std::vector<std::uint64_t> graphs = round<std::uint64_t>(bootstrap, [&](std::uint64_t& mine) {
    topology_ =
        std::make_unique<Topology>(Topology::from_spec(config_.topology, places_, {config_.weights, config_.seed}));
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
  const std::vector<Addresses> all = round<Addresses>(bootstrap, [&](Addresses& mine) {
    const EndpointContext context{rank_,
                                  size_,
                                  std::any_of(neighbours.begin(), neighbours.end(), near),
                                  !std::all_of(neighbours.begin(), neighbours.end(), near),
                                  config_.interface,
                                  config_.survives};
    endpoint_ = entry.open(Options("transport " + spec.name, spec, entry.keys), context);
    address = endpoint_->address();
    mine.endpoint_bytes = static_cast<std::uint32_t>(address.size());
    if (entry.same_process) return;
    lifelines_ = std::make_unique<Lifelines>(rank_, config_.interface);
    const std::vector<std::byte> lifeline = lifelines_->address();
    std::copy(lifeline.begin(), lifeline.end(), mine.lifeline.begin());
  });
  std::size_t stride = 0;
  for (const Addresses& theirs : all) stride = std::max<std::size_t>(stride, theirs.endpoint_bytes);
  address.resize(stride);
  const std::vector<std::byte> addresses = bootstrap.allgather(address);

  // Lifelines first: a rank that cannot reach a neighbour tells the others over them, so that nobody waits in vain.
  round<Nothing>(bootstrap, [&](Nothing&) {
    if (lifelines_) {
      std::vector<std::vector<std::byte>> lifelines;
      std::vector<char> same_host;
      for (std::size_t rank = 0; rank < all.size(); ++rank) {
        lifelines.emplace_back(all[rank].lifeline.begin(), all[rank].lifeline.end());
        same_host.push_back(near(static_cast<int>(rank)) ? 1 : 0);
      }
      lifelines_->connect(neighbours, lifelines, same_host, config_.timeout_seconds);
    }
    for (const int neighbour : neighbours) {
      const auto index = static_cast<std::size_t>(neighbour);
      endpoint_->connect(neighbour, Bytes(addresses).subspan(index * stride, all[index].endpoint_bytes),
                         near(neighbour));
    }
  });
  engine_ = std::make_unique<Engine>(
      *endpoint_, lifelines_.get(),
      Engine::Options{rank_, config_.timeout_seconds, config_.progress_thread,
                      std::any_of(neighbours.begin(), neighbours.end(), near), config_.survives});
  log_.debug("connected to ", neighbours.size(), " neighbours by ", config_.transport);
}

}  // namespace gossamer
