#include "lib/link_probe.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>

#include "lib/bootstrap_round.hpp"
#include "lib/call.hpp"
#include "transport/transport.hpp"

namespace gossamer {
namespace {

constexpr std::size_t kMostRounds = 64;

constexpr std::size_t kPingBytes = 8;
constexpr int kMostPings = 20;
constexpr int kLeastPings = 5;
constexpr double kPingSeconds = 10e-3;

constexpr std::size_t kSmallestBytes = 4 * 1024;
constexpr std::size_t kLargestBytes = 1024 * 1024;
constexpr std::size_t kGrowth = 4;
constexpr double kLongTripSeconds = 10e-3;
constexpr double kGrowingSeconds = 60e-3;
constexpr int kTrips = 4;  // of each size; the median counts, as a shaper's bucket may let the first ones through

/// The first byte of every message.
constexpr std::byte kMore{1};
constexpr std::byte kLast{0};

/// A pair's link, as the lower rank of both has measured it.
struct Measurement {
  int rank;
  int peer;
  Link link;
};

/// What was found, and the memory of messages, which the endpoint may reach after a failure: outlives it.
struct Probes {
  std::vector<Measurement> found;
  std::vector<std::byte> out = std::vector<std::byte>(kLargestBytes, kMore);
  std::vector<std::byte> in = std::vector<std::byte>(kLargestBytes);
};

/// What a rank needs to send one message at a time. A message's tag is the rank of its sender.
struct Court {
  Court(Engine& engine, int rank_of_engine, Probes& probes)
      : rank(rank_of_engine), out(probes.out), in(probes.in), sending(engine), receiving(engine) {}

  int rank;
  std::vector<std::byte>& out;
  std::vector<std::byte>& in;
  Flight sending;
  Flight receiving;
  double seconds = 0;  // of the last round trip
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Task round_trip(Call& call, Court& court, int peer, std::size_t bytes) {
  const Clock::time_point start = Clock::now();
  court.receiving.receive(peer, static_cast<std::uint64_t>(peer), MutableBytes(court.in).first(bytes), call.traffic);
  court.sending.send(peer, static_cast<std::uint64_t>(court.rank), Bytes(court.out).first(bytes), call.traffic);
  co_await court.sending.done(call);
  co_await court.receiving.done(call);
  court.seconds = seconds_since(start);
}

Task echo(Call& call, Court& court, int peer) {
  do {
    court.receiving.receive(peer, static_cast<std::uint64_t>(peer), court.in, call.traffic);
    const std::size_t bytes = co_await court.receiving.done(call);
    if (bytes < kPingBytes) fail(Status::corrupt, "rank ", peer, " sent a probe of ", bytes, " bytes");
    court.sending.send(peer, static_cast<std::uint64_t>(court.rank), Bytes(court.in).first(bytes), call.traffic);
    co_await court.sending.done(call);
  } while (court.in[0] != kLast);
}

Task measure(Call& call, Court& court, int peer, Link& link) {
  court.out[0] = kMore;
  co_await round_trip(call, court, peer, kPingBytes);  // makes the connection
  double shortest = std::numeric_limits<double>::infinity();
  double spent = 0;
  for (int ping = 0; ping < kMostPings && (ping < kLeastPings || spent < kPingSeconds); ++ping) {
    co_await round_trip(call, court, peer, kPingBytes);
    shortest = std::min(shortest, court.seconds);
    spent += court.seconds;
  }
  std::size_t bytes = kSmallestBytes;
  double long_trip = 0;
  spent = 0;
  while (true) {
    std::vector<double> trips;
    for (int trip = 0; trip < kTrips && spent < kGrowingSeconds; ++trip) {
      co_await round_trip(call, court, peer, bytes);
      trips.push_back(court.seconds);
      spent += court.seconds;
    }
    long_trip = median(std::move(trips));
    if (bytes == kLargestBytes || long_trip >= kLongTripSeconds || spent >= kGrowingSeconds) break;
    bytes *= kGrowth;
  }
  court.out[0] = kLast;
  co_await round_trip(call, court, peer, kPingBytes);
  // Where a long message seems to take little longer than an empty one, something else kept the empty ones up.
  const double transfer = std::max(long_trip - shortest, long_trip / 2);
  link = {shortest / 2, 2 * static_cast<double>(bytes) / transfer};
}

Task play(Call& call, int rank, const std::vector<int>& opponents, Probes& probes) {
  Court court(call.engine, rank, probes);
  for (std::size_t i = 0; i < opponents.size(); ++i) {
    const int peer = opponents[i];
    call.at("pair", i, opponents.size());
    if (rank < peer) {
      probes.found.push_back({rank, peer, {}});
      co_await measure(call, court, peer, probes.found.back().link);
    } else {
      co_await echo(call, court, peer);
    }
  }
}

/// Adds those whom `rank` meets in a tournament of `members`, ascending, if it is one of them.
void add_opponents(std::vector<int>& opponents, const std::vector<int>& members, int rank) {
  const auto place = std::lower_bound(members.begin(), members.end(), rank);
  if (place == members.end() || *place != rank) return;
  const auto member = static_cast<std::size_t>(place - members.begin());
  for (std::size_t round = 0; round < std::min(members.size(), kMostRounds); ++round) {
    if (const auto other = opponent(member, round, members.size())) opponents.push_back(members[*other]);
  }
}

std::vector<int> opponents_of(int rank, std::span<const Place> places) {
  const Links hosts = Links::supposed(places);
  std::vector<int> neighbours;
  std::vector<int> firsts;
  for (int other = 0; other < static_cast<int>(places.size()); ++other) {
    if (hosts.first_of_host(other) == hosts.first_of_host(rank)) neighbours.push_back(other);
    if (hosts.first_of_host(other) == other) firsts.push_back(other);
  }
  std::vector<int> opponents;
  add_opponents(opponents, neighbours, rank);
  add_opponents(opponents, firsts, rank);
  return opponents;
}

Link median_link(const std::vector<Link>& links) {
  std::vector<double> latencies;
  std::vector<double> bandwidths;
  for (const Link& link : links) {
    latencies.push_back(link.latency_seconds);
    bandwidths.push_back(link.bytes_per_second);
  }
  return {median(std::move(latencies)), median(std::move(bandwidths))};
}

/// Links of one kind join the same two NUMA nodes of a host, or the same two hosts.
using Kind = std::pair<std::pair<std::uint64_t, int>, std::pair<std::uint64_t, int>>;

Kind kind_of(const Place& a, const Place& b) {
  const bool near = a.host == b.host;
  return std::minmax(std::pair(a.host, near ? a.numa : 0), std::pair(b.host, near ? b.numa : 0));
}

Link best_link(const std::vector<Link>& links) {
  Link best = links.front();
  for (const Link& link : links) {
    best.latency_seconds = std::min(best.latency_seconds, link.latency_seconds);
    best.bytes_per_second = std::max(best.bytes_per_second, link.bytes_per_second);
  }
  return best;
}

/// All links of a kind count as the best of them: what disturbs a measurement makes it worse.
Links links_of(std::span<const Place> places, const std::vector<Measurement>& measured) {
  const auto place = [&](int rank) -> const Place& { return places[static_cast<std::size_t>(rank)]; };
  std::map<Kind, std::vector<Link>> kinds;
  std::vector<Link> within;
  std::vector<Link> between;
  for (const Measurement& each : measured) {
    const Place& a = place(each.rank);
    const Place& b = place(each.peer);
    kinds[kind_of(a, b)].push_back(each.link);
    (a.host == b.host ? within : between).push_back(each.link);
  }
  std::map<Kind, Link> best;
  for (const auto& [kind, links] : kinds) best.emplace(kind, best_link(links));
  Links links(places, within.empty() ? kSupposedWithinHost : median_link(within),
              between.empty() ? kSupposedBetweenHosts : median_link(between));
  for (const Measurement& each : measured) {
    links.set(each.rank, each.peer, best.at(kind_of(place(each.rank), place(each.peer))));
  }
  links.find_racks();
  return links;
}

std::unique_ptr<Endpoint> open_endpoint(const Bootstrap& bootstrap, const Config& config,
                                        std::span<const Place> places) {
  const Spec spec = Spec::parse(config.transport);
  const TransportEntry& entry = find_transport(spec.name);
  const std::uint64_t host = places[static_cast<std::size_t>(bootstrap.rank())].host;
  const auto here = std::count_if(places.begin(), places.end(), [&](const Place& each) { return each.host == host; });
  const bool any_elsewhere = static_cast<std::size_t>(here) < places.size();
  return entry.open(Options("transport " + spec.name, spec, entry.keys),
                    {bootstrap.rank(), bootstrap.size(), here > 1, any_elsewhere, config.interface});
}

void run(Endpoint& endpoint, const Config& config, int rank, const std::vector<int>& opponents, Probes& probes) {
  Engine engine(endpoint, nullptr, {.rank = rank, .timeout_seconds = config.timeout_seconds, .progress_thread = false});
  Call call(engine, "all ranks");
  call.begin("measuring the links", {});
  Job job;
  engine.submit(job, call, play(call, rank, opponents, probes), true);
  engine.wait(job);
  job.task = Task();
  if (job.status != Status::ok) throw Error(job.status, job.sentence);
}

}  // namespace

// All but the last sit in a circle that turns; an even number is made of an odd one by the last, who sits apart.
std::optional<std::size_t> opponent(std::size_t member, std::size_t round, std::size_t members) {
  const std::size_t circle = members % 2 == 0 ? members - 1 : members;
  if (round >= circle) return std::nullopt;
  if (member == circle) return round * ((circle + 1) / 2) % circle;  // who would play against itself: round / 2
  const std::size_t other = (round + circle - member) % circle;
  if (other != member) return other;
  return members == circle ? std::nullopt : std::optional(circle);
}

Links measure_links(Bootstrap& bootstrap, const Config& config, std::span<const Place> places) {
  const std::vector<int> opponents = opponents_of(bootstrap.rank(), places);
  Probes probes;
  std::unique_ptr<Endpoint> endpoint;
  round<Nothing>(bootstrap, [&](Nothing&) { endpoint = open_endpoint(bootstrap, config, places); });
  const std::vector<std::vector<std::byte>> addresses = gather_blobs(bootstrap, endpoint->address());
  round<Nothing>(bootstrap, [&](Nothing&) {
    const Place& here = places[static_cast<std::size_t>(bootstrap.rank())];
    for (const int peer : opponents) {
      const auto index = static_cast<std::size_t>(peer);
      endpoint->connect(peer, addresses[index], places[index].host == here.host);
    }
    run(*endpoint, config, bootstrap.rank(), opponents, probes);
  });
  std::vector<Measurement> measured;
  for (const std::vector<std::byte>& blob :
       gather_blobs(bootstrap, std::as_bytes(std::span(std::as_const(probes.found))))) {
    ByteReader reader(blob);
    while (reader.remaining() > 0) measured.push_back(reader.get<Measurement>());
  }
  return links_of(places, measured);
}

}  // namespace gossamer
