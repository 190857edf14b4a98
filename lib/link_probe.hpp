#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "lib/bootstrap.hpp"
#include "lib/config.hpp"
#include "topology/links.hpp"

namespace gossamer {

/// Against whom `member` plays in round 0 … members − 1 of a tournament in which everybody meets everybody else once,
/// and nobody two at a time. Nothing: it sits out.
std::optional<std::size_t> opponent(std::size_t member, std::size_t round, std::size_t members);

/// Measures the links between ranks by messages that go there and back over the configured transport, through endpoints
/// that are closed again before it returns. Collective and blocking; all ranks return the same links, or all throw.
///
/// First the ranks of each host play a tournament, then the first ranks of the hosts: a pair's messages share a host's
/// way out with no others. Latency is half of the shortest of up to 20 round trips of 8 bytes, or those of 10 ms, at
/// least 5. Bandwidth is that of messages that grow fourfold from 4 KiB to 1 MiB, or until a round trip takes 10 ms or
/// all together 60 ms; the shortest of four trips counts. So a pair takes 3 ms in shared memory, some 70 ms over a
/// network, and more only where five pings or one trip last longer. A rank has a pair for every other rank on its host
/// and, if it is the first there, for every other host. Tournaments end after 64 rounds, with a fraction of the pairs
/// measured.
///
/// Between two NUMA nodes of a host, and within one, all links count as the best of those measured there; links of
/// which none was measured, as the median within hosts, or between them.
///
/// Throws `timeout` when a peer does not answer within the configured time.
Links measure_links(Bootstrap& bootstrap, const Config& config, std::span<const Place> places);

}  // namespace gossamer
