#include <algorithm>
#include <cstring>

#include "lib/c_guard.hpp"

using namespace gossamer;

namespace {

void create(Bootstrap& bootstrap, const char* config, goss_comm** comm) {
  *comm = reinterpret_cast<goss_comm*>(Communicator::create(bootstrap, config == nullptr ? "" : config).release());
}

/// The bootstrap from the environment comes before the configuration is agreed on: an unreadable one must not stop it.
double timeout_of(const char* config) {
  try {
    return Config::parse(config == nullptr ? "" : config).timeout_seconds;
  } catch (const Error&) {
    return Config{}.timeout_seconds;
  }
}

void fill(goss_stats& out, const TensorTotals& totals, double residual_norm) {
  goss_stats stats{};
  stats.struct_size = out.struct_size;
  stats.calls = totals.calls;
  stats.dense_bytes = totals.dense_bytes;
  stats.bytes_sent = totals.traffic.sent;
  stats.bytes_received = totals.traffic.received;
  stats.seconds = totals.time.total;
  stats.encode_seconds = totals.time.encode;
  stats.reduce_seconds = totals.time.reduce;
  stats.decode_seconds = totals.time.decode;
  stats.wait_seconds = std::max(0.0, totals.time.total - totals.time.encode - totals.time.reduce - totals.time.decode);
  stats.residual_norm = residual_norm;
  std::memcpy(&out, &stats, std::min(out.struct_size, sizeof stats));
}

void check_struct_size(const goss_stats& stats) {
  if (stats.struct_size < sizeof(size_t) + sizeof(uint64_t)) {
    fail(Status::argument, "stats->struct_size is ", stats.struct_size, "; set it to sizeof(goss_stats)");
  }
}

}  // namespace

goss_status goss_comm_create(const goss_bootstrap* bootstrap, const char* config, goss_comm** comm) {
  return guard([&] {
    required(comm, "comm");
    create(*callback_bootstrap(required(bootstrap, "bootstrap")), config, comm);
  });
}

goss_status goss_comm_create_env(const char* config, goss_comm** comm) {
  return guard([&] {
    required(comm, "comm");
    create(*env_bootstrap(timeout_of(config)), config, comm);
  });
}

void goss_comm_destroy(goss_comm* comm) {
  delete reinterpret_cast<Communicator*>(comm);
}

int goss_comm_rank(const goss_comm* comm) {
  return comm == nullptr ? -1 : comm_of(comm).rank();
}
int goss_comm_size(const goss_comm* comm) {
  return comm == nullptr ? -1 : comm_of(comm).size();
}

goss_status goss_comm_describe(const goss_comm* comm, char* text, size_t capacity) {
  return guard([&] {
    const std::string words = comm_of(comm).describe();
    if (capacity == 0) fail(Status::argument, "capacity is 0");
    required(text, "text");
    const std::size_t length = std::min(words.size(), capacity - 1);
    std::memcpy(text, words.data(), length);
    text[length] = '\0';
  });
}

goss_status goss_comm_neighbours(const goss_comm* comm, uint64_t round, int* ranks, double* weights, int capacity,
                                 int* count, double* self_weight) {
  return guard([&] {
    const Communicator& communicator = comm_of(comm);
    required(count, "count");
    if (capacity < 0) fail(Status::argument, "capacity is ", capacity);
    const Neighbourhood around = communicator.topology().at(communicator.rank(), round);
    const std::size_t written = std::min(around.in.size(), static_cast<std::size_t>(capacity));
    for (std::size_t i = 0; i < written; ++i) {
      if (ranks != nullptr) ranks[i] = around.in[i].rank;
      if (weights != nullptr) weights[i] = around.in[i].weight;
    }
    *count = static_cast<int>(around.in.size());
    if (self_weight != nullptr) *self_weight = around.self_weight;
  });
}

goss_status goss_comm_spectral_gap(const goss_comm* comm, double* gap) {
  return guard([&] { required(gap, "gap") = comm_of(comm).topology().spectral_gap(); });
}

goss_status goss_comm_failed(const goss_comm* comm, int* ranks, int capacity, int* count) {
  return guard([&] {
    const std::vector<int> dead = comm_of(comm).failed_ranks();
    required(count, "count");
    if (capacity < 0) fail(Status::argument, "capacity is ", capacity);
    const std::size_t written = std::min(dead.size(), static_cast<std::size_t>(capacity));
    if (written > 0) std::copy_n(dead.begin(), written, &required(ranks, "ranks"));
    *count = static_cast<int>(dead.size());
  });
}

goss_status goss_barrier(goss_comm* comm) {
  return guard([&] { comm_of(comm).barrier(); });
}

goss_status goss_comm_stats(const goss_comm* comm, goss_stats* stats) {
  return guard([&] {
    const Communicator& communicator = comm_of(comm);
    check_struct_size(required(stats, "stats"));
    fill(*stats, communicator.totals(), communicator.residual_norm());
  });
}

goss_status goss_tensor_stats(const goss_tensor* tensor, goss_stats* stats) {
  return guard([&] {
    const TensorSlot& slot = slot_of(tensor);
    check_struct_size(required(stats, "stats"));
    slot.comm->expect_idle(slot);
    fill(*stats, slot.tensor->totals(), slot.tensor->residual_norm());
  });
}
